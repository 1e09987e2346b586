/* Everything that depends on the instruction set. Included once per set by clones.h. */

#if VBYTES == 64 /* 32 registers: 8 * 3 sums, 3 cells, 1 weight */
#define MR 8
#define NV 3
#define NV1 8
#elif VBYTES == 32 /* 16 registers: 4 * 3 sums, 3 cells, 1 weight */
#define MR 4
#define NV 3
#define NV1 8
#else /* SSE2 and NEON: 16 registers or more */
#define MR 4
#define NV 2
#define NV1 6
#endif

#define T float
#define NAME(name) ISA(name##_f)
#include "sliding.h"
#undef T
#undef NAME
#define T double
#define NAME(name) ISA(name##_d)
#include "sliding.h"
#undef T
#undef NAME

static const Isa ISA(isa) = {
    ISA_NAME, ISA(slide_f), ISA(slide_d), ISA(fill_f), ISA(fill_d), NV1 * VBYTES,
};

#undef MR
#undef NV
#undef NV1
