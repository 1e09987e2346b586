/* Everything that depends on the instruction set. Included once per set by clones.h. */

#if VBYTES == 64 /* 32 registers: 8 * 3 sums, 3 cells, 1 weight */
#define MR 8
#define FEW 4 /* 4 * 3 sums keep the units busy as well, and 3 or 12 channels fill them better */
#define NV 3
#define NV1 8
#define TAPS 8 /* 2 * 8 sums and 2 vectors of the gradient */
#elif VBYTES == 32 /* 16 registers: 4 * 3 sums, 3 cells, 1 weight */
#define MR 4
#define FEW 4
#define NV 3
#define NV1 8
#define TAPS 6 /* 2 * 6 sums, 2 vectors of the gradient, 1 cell */
#else /* SSE2 and NEON: 16 registers or more */
#define MR 4
#define FEW 4
#define NV 2
#define NV1 8
#define TAPS 6
#endif
#define DOTS 9 /* sums, as many as a window of 3x3 has cells */

#define T float
#define FLOAT 1
#define NAME(name) ISA(name##_f)
#include "loops_of_type.h"
#include "gradient.h"
#undef T
#undef FLOAT
#undef NAME
#define T double
#define FLOAT 0
#define NAME(name) ISA(name##_d)
#include "loops_of_type.h"
#include "gradient.h"
#undef T
#undef FLOAT
#undef NAME

static const Isa ISA(isa) = {
    ISA_NAME, {ISA(algorithms_f), ISA(algorithms_d)},
    ISA(gradient_plan_f), ISA(gradient_plan_d), ISA(gradient_f), ISA(gradient_d),
};

#undef MR
#undef FEW
#undef NV
#undef NV1
#undef TAPS
#undef DOTS
