/* All loops for one type T and one instruction set. Included by tensors_isa.h. */

#include "panels.h"
#include "fill.h"
#include "direct.h"
#include "depthwise.h"
#if FLOAT
#include "winograd.h"
#endif

static const Algorithm NAME(algorithms)[ALGORITHMS] = {
    [DIRECT] = {NAME(direct_plan), NAME(direct_prepare), NAME(direct_perform)},
    [DEPTHWISE] = {NAME(depthwise_plan), NULL, NAME(depthwise_perform)},
#if FLOAT
    [WINOGRAD] = {NAME(winograd_plan), NAME(winograd_prepare), NAME(winograd_perform)},
#endif
};

#undef PANEL
#undef PANELS
#undef PANEL_OF
#undef THIN
#undef LANES
#undef LOAD
#undef STORE
