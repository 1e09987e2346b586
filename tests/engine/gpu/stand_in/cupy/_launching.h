// How the host starts a kernel that g++ compiled: with an address for each argument, as cuLaunchKernel
// is given them, through over_grid of shim.h, which stands before this.

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

template <class... A> struct Launch { // braces, unlike a call, go from left to right
    Launch(void (*kernel)(A...), const unsigned *sizes, A... args)
    {
        over_grid(kernel, sizes, args...);
    }
};

template <class... A>
static void launch_at(void (*kernel)(A...), const unsigned *sizes, void **args)
{
    Launch<A...>{kernel, sizes, *(A *)*args++...};
}

#define KERNEL(NAME)                                                                               \
    extern "C" int NAME##__parameters(int *to) { return sizes_of(NAME, to); }                      \
    extern "C" void NAME##__launch(const unsigned *sizes, void **args)                             \
    {                                                                                              \
        launch_at(NAME, sizes, args);                                                              \
    }
