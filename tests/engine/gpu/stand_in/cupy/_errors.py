"""Errors by the number, the name and the words that CUDA has for them."""

_NAMES = {
    1: ("cudaErrorInvalidValue", "invalid argument"),
    2: ("cudaErrorMemoryAllocation", "out of memory"),
    35: (
        "cudaErrorInsufficientDriver",
        "CUDA driver version is insufficient for CUDA runtime version",
    ),
    100: ("cudaErrorNoDevice", "no CUDA-capable device is detected"),
    101: ("cudaErrorInvalidDevice", "invalid device ordinal"),
    400: ("cudaErrorInvalidResourceHandle", "invalid resource handle"),
    700: ("cudaErrorIllegalAddress", "an illegal memory access was encountered"),
    701: ("cudaErrorLaunchOutOfResources", "too many resources requested for launch"),
    716: ("cudaErrorMisalignedAddress", "misaligned address"),
    900: (
        "cudaErrorStreamCaptureUnsupported",
        "operation not permitted when stream is capturing",
    ),
    719: ("cudaErrorLaunchFailure", "unspecified launch failure"),
}
_DRIVER = {
    200: ("CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"),
    500: ("CUDA_ERROR_NOT_FOUND", "named symbol not found"),
}
_TRANSFORMS = {2: "CUFFT_ALLOC_FAILED", 5: "CUFFT_INTERNAL_ERROR"}


class CUDARuntimeError(RuntimeError):
    def __init__(self, status):
        self.status = status
        super().__init__("{}: {}".format(*_NAMES[status]))


class CUDADriverError(RuntimeError):
    def __init__(self, status):
        self.status = status
        super().__init__("{}: {}".format(*_DRIVER[status]))


class CuFFTError(RuntimeError):
    def __init__(self, result):
        self.result = result
        super().__init__(_TRANSFORMS[result])


class NVRTCError(RuntimeError):
    def __init__(self, status):
        self.status = status
        super().__init__(f"NVRTC_ERROR ({status})")


class CompileException(Exception):
    def __init__(self, msg, source, name, options, backend="nvrtc"):
        self._msg, self.source, self.name, self.options = msg, source, name, options
        self.backend = backend
        super().__init__()

    def __str__(self):
        return self.get_message()

    def get_message(self):
        return self._msg


class OutOfMemoryError(MemoryError):
    def __init__(self, size, total, limit=0):
        far = f"allocated so far: {total:,} bytes"
        bound = f", limit set to: {limit:,} bytes" if limit else ""
        super().__init__(f"Out of memory allocating {size:,} bytes ({far}{bound}).")
