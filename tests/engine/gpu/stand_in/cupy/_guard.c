/* Calls a kernel so that what would stop a device's context does not stop the tests: the number of
   the signal is returned. A sanitizer's trap is SIGILL. */
#include <setjmp.h>
#include <signal.h>

static __thread sigjmp_buf *landing;
static struct sigaction before[65];

static void landed(int number)
{
    if (landing)
        siglongjmp(*landing, number);
    sigaction(number, &before[number], 0); /* not a kernel's: whoever was here before gets it */
}

void guard(void)
{
    const int numbers[] = {SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE};
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction action = {.sa_handler = landed, .sa_flags = SA_NODEFER | SA_ONSTACK};
        sigaction(numbers[i], &action, &before[numbers[i]]);
    }
}

int guarded(void (*kernel)(const unsigned *, void **), const unsigned *sizes, void **args)
{
    sigjmp_buf here, *outer = landing;
    const int number = sigsetjmp(here, 1);
    if (!number) {
        landing = &here;
        kernel(sizes, args);
    }
    landing = outer;
    return number;
}
