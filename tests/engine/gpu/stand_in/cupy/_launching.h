// What the host asks a kernel that g++ compiled, behind shim.h and the kernel's source: how many bytes
// each argument has, and to run.

template <class T> struct SizeOf {
    static constexpr int value = sizeof(T);
};
template <class T> struct SizeOf<T *> { // below zero: an address, and the size of what is there
    static constexpr int value = -(int)sizeof(T);
};

template <class... A> static int sizes_of(void (*)(A...), int *to)
{
    const int sizes[] = {SizeOf<A>::value...};
    for (unsigned i = 0; i < sizeof...(A); i++)
        to[i] = sizes[i];
    return sizeof...(A);
}

#define KERNEL(NAME)                                                                               \
    extern "C" int NAME##__parameters(int *to) { return sizes_of(NAME, to); }                      \
    extern "C" void NAME##__launch(const unsigned *sizes, void **args) { launch(NAME, sizes, args); }

#ifdef BARRIERS
// After a signal, which leaves everything as it was.
extern "C" void given_up()
{
    fibers::problem = 0;
    __atomic_clear(&fibers::busy, __ATOMIC_RELEASE);
}
#endif
