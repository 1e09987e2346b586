// Threads of a block that meet at barriers, on one thread of the CPU; see shim.h.
//
// Each thread of a block is a fiber with a stack of its own, which runs until it meets a barrier
// or ends. Who runs next is drawn, so that a kernel that counts on an order no GPU promises gives
// other results: a barrier that is missing shows in the picture. Shared memory is filled with
// noise before each block, for the same reason. A block in which threads end, or wait elsewhere,
// while others wait at a barrier would hang on a GPU; here it is given up, and fault() says why.
#include <sys/mman.h>
#include <ucontext.h>

// All in one part of memory, so that it can be filled; one launch at a time uses it.
#define __shared__ static __attribute__((section("shared_memory")))
extern char shared_begin[] __asm__("__start_shared_memory") __attribute__((weak, visibility("hidden")));
extern char shared_end[] __asm__("__stop_shared_memory") __attribute__((weak, visibility("hidden")));

#define __syncthreads() fibers::wait(fibers::BLOCK, __LINE__)
#define __syncwarp(...) fibers::wait(fibers::WARP, __LINE__)
#define __shfl_sync(mask, value, lane) fibers::exchange(value, (lane) & 31, __LINE__)
#define __shfl_up_sync(mask, value, by)                                                        \
    fibers::exchange(value, fibers::lane() < (by) ? fibers::lane() : fibers::lane() - (by), __LINE__)
#define __shfl_down_sync(mask, value, by)                                                      \
    fibers::exchange(value, fibers::lane() + (by) > 31 ? fibers::lane() : fibers::lane() + (by), __LINE__)
#define __shfl_xor_sync(mask, value, with) fibers::exchange(value, fibers::lane() ^ (with), __LINE__)
// mma.sync.m16n8k32, unsigned bytes times signed ones.
#define __mma_u8s8(sums, cells, band) fibers::multiply(sums, cells, band, __LINE__)

namespace fibers {

enum State { READY, WARP, BLOCK, ENDED };
constexpr int MOST = 1024, STACK = 1 << 18;

struct Fiber {
    ucontext_t context;
    State state;
    int line; // where it waits
    Index place;
    unsigned turn; // exchanges so far
    unsigned long long held[2];
};

static Fiber all[MOST];
static ucontext_t scheduler;
static int count, now;
static char *stacks;
static unsigned long long seed;
static volatile char busy;
static const char *problem;

static unsigned drawn(unsigned below)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)((seed >> 33) * below >> 31);
}

static unsigned lane() { return now % 32; }

__attribute__((noinline)) static void wait(State kind, int line)
{
    all[now].state = kind;
    all[now].line = line;
    swapcontext(&all[now].context, &scheduler);
}

// A value from another thread of the warp, all of which take part. Two places, in turn: nobody
// writes to one again before all have read it, since all met in between.
template <class T> static T exchange(T value, unsigned from, int line)
{
    static_assert(sizeof(T) <= 8);
    const unsigned turn = all[now].turn++ & 1;
    __builtin_memcpy(&all[now].held[turn], &value, sizeof value);
    const int source = now / 32 * 32 + (int)from;
    wait(WARP, line);
    if (source < count)
        __builtin_memcpy(&value, &all[source].held[turn], sizeof value);
    return value;
}

// What each thread of a warp holds of two matrices of bytes, in turn in one of two places.
static struct {
    unsigned char cells[4][4], band[2][4];
} fragments[2][MOST];

// Adds the products of 16 rows of 32 bytes and 8 columns of 32 signed bytes to 16 x 8 sums, all of
// which the 32 threads of a warp hold as PTX says of m16n8k32: thread 4 g + t has rows g and g + 8,
// of them bytes 4 t to 4 t + 3 and 16 more; the same of column g; and sums of columns 2 t, 2 t + 1.
static void multiply(int (&sums)[4], const unsigned (&cells)[4], const unsigned (&band)[2], int line)
{
    auto &held = fragments[all[now].turn++ & 1];
    __builtin_memcpy(held[now].cells, cells, sizeof cells);
    __builtin_memcpy(held[now].band, band, sizeof band);
    wait(WARP, line);
    const int warp = now / 32 * 32, g = now % 32 / 4, t = now % 4;
    for (int n = 0; n < 4; n++)
        for (int k = 0; k < 32; k++) {
            const auto &row = held[warp + g * 4 + k % 16 / 4];
            const auto &column = held[warp + (t * 2 + n % 2) * 4 + k % 16 / 4];
            sums[n] += row.cells[k / 16 * 2 + n / 2][k % 4] * (signed char)column.band[k / 16][k % 4];
        }
}

// Whether the threads [first, last) all wait at the same barrier; they go on then.
static bool met(int first, int last, State kind)
{
    for (int k = first; k < last; k++)
        if (all[k].state != kind || all[k].line != all[first].line)
            return false;
    for (int k = first; k < last; k++)
        all[k].state = READY;
    return true;
}

static bool any_met()
{
    bool found = false;
    for (int first = 0; first < count; first += 32)
        found |= met(first, first + 32 < count ? first + 32 : count, WARP);
    return found || met(0, count, BLOCK);
}

// Runs ready threads in any order until none is; says how many have not ended.
static int run_ready()
{
    static int order[MOST];
    int ready = 0, left = 0;
    for (int k = 0; k < count; k++)
        if (all[k].state == READY)
            order[ready++] = k;
    while (ready) {
        const unsigned pick = drawn(ready);
        now = order[pick];
        order[pick] = order[--ready];
        threadIdx = all[now].place;
        swapcontext(&scheduler, &all[now].context);
    }
    for (int k = 0; k < count; k++)
        left += all[k].state != ENDED;
    return left;
}

template <class Thread> static void body(unsigned low, unsigned high)
{
    (*(Thread *)((unsigned long long)high << 32 | low))();
    all[now].state = ENDED;
    swapcontext(&all[now].context, &scheduler);
}

template <class Thread> static void over_block(Thread thread)
{
    if (problem)
        return;
    count = blockDim.x * blockDim.y;
    if (!stacks)
        stacks = (char *)mmap(0, (long)MOST * STACK, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    seed = blockIdx.y * 65537ull + blockIdx.x + 1;
    for (char *at = shared_begin; at < shared_end; at++)
        *at = (char)drawn(256);
    for (int k = 0; k < count; k++) {
        Fiber &fiber = all[k];
        fiber.state = READY;
        fiber.turn = 0;
        fiber.place = {k % blockDim.x, k / blockDim.x, 0};
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = stacks + (long)k * STACK;
        fiber.context.uc_stack.ss_size = STACK;
        fiber.context.uc_link = 0;
        const unsigned long long at = (unsigned long long)&thread;
        makecontext(&fiber.context, (void (*)())body<Thread>, 2, (unsigned)at, (unsigned)(at >> 32));
    }
    while (run_ready())
        if (!any_met()) {
            problem = "threads of a block wait at a barrier that others do not meet";
            return;
        }
}

// Shared memory and the fibers are there once.
struct Alone {
    Alone()
    {
        while (__atomic_test_and_set(&busy, __ATOMIC_ACQUIRE))
            ;
    }
    ~Alone() { __atomic_clear(&busy, __ATOMIC_RELEASE); }
};

} // namespace fibers
using fibers::over_block;

// Why the last launch was given up; nothing if it was not. Asking forgets it.
extern "C" const char *fault()
{
    const char *said = fibers::problem;
    fibers::problem = 0;
    return said;
}
