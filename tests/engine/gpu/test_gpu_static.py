"""What kernels look like as machine code: no spill, no more registers than a table allows, small.

And how ``benchmarks/gpu_sass.py`` counts what a sample costs, on code that was counted by hand.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from itertools import product
from pathlib import Path

import pytest
from gpu_cases import BENCHMARKED, PICKING, TEST_CASES, Asked, Case, asked
from gpu_ceilings import CARDS, Count, ceiling, count_of
from gpu_nvrtc import ARCHS, CUPY_OPTIONS, Compiled, compile_kernel, nvrtc
from gpu_sass import Flow, Instruction, Reader, disassembled, nvdisasm, tally_of

MOST_BYTES = 96 << 10
"""Of a cubin: what the instruction caches hold of it, and seconds to compile."""

REGISTERS = {
    # On sm_90, of the launch that needs most, up to the next step of eight: for everybody, then
    # for CI.
    "sobel-x u8 RGB": 64,
    "3x3 u8 RGB": 72,
    "3x3 f32 gray": 40,
    "gaussian:1 u8 RGB": 96,
    "box:15 u8 RGB": 88,
    "15x15 u8 gray": 96,
    "u8_bank u8 RGB": 32,
    "median:5 u8 gray": 120,
    "erode:31 u8 RGB": 96,
    "3x3 u8 gray": 72,
    "3x3 u16 gray": 64,
    "5x5 u8 RGB": 72,
    "7x7 u8 RGB": 104,
    "separable 7x7 u16 gray": 96,
    "gaussian:3 u8 RGB": 96,
    "gaussian:10 u8 gray": 88,
    "3x3 stride 2 u8 RGB": 56,
    "f64_gray_5x5 f64 gray": 160,
    "u8_rgb_whole_pair u8 RGB": 96,
    "u8_weights_in_memory u8 gray": 80,
    "median:3 u8 RGB": 96,
    "median:7 f32 gray": 168,
    "erode:3 u8 gray": 64,
    "dilate:7 u8 RGB": 168,
    "15x15 u16 gray": 72,
    "15x15 u8 RGB": 80,
    "31x31 u8 gray": 120,
    "31x31 u8 RGB": 96,
    "u8_rgba_9x9_to_u16 u8 RGBA": 104,
    "u8_gray_43x43 u8 gray": 128,
    "u8_rgb_whole_31x31 u8 RGB": 80,
}
FOR_EVERYBODY = 9
OTHERS = 24
"""Registers that other generations may take more."""

INSTRUCTIONS = {
    # In the steady state of sm_90, a sample.
    "sobel-x u8 gray": 6.5,
    "3x3 u8 gray": 16.0,
    "3x3 u8 RGB": 16.0,
    "gaussian:1 u8 gray": 22.5,
    "gaussian:3 u8 RGB": 56.0,
    "box:15 u8 gray": 14.5,
    "box:15 u8 RGB": 14.5,
    "median:3 u8 gray": 12.5,
    "median:5 u8 gray": 43.0,
    "erode:31 u8 gray": 11.0,
    "15x15 u16 gray": 315.0,
    "15x15 u8 gray": 44.0,
    "31x31 u8 RGB": 105.0,
}

needs_nvrtc = pytest.mark.skipif(
    nvrtc() is None, reason="needs NVRTC (pip install nvidia-cuda-nvrtc)"
)
needs_nvdisasm = pytest.mark.skipif(
    not nvdisasm(), reason="needs nvdisasm (pip install nvidia-cuda-nvdisasm)"
)


@cache
def filters() -> dict[str, Asked]:
    return {one.label: one for one in asked([*BENCHMARKED, *PICKING, *TEST_CASES])}


@cache
def made(text: str, function: str, arch: str) -> Compiled:
    return compile_kernel(text, function, arch)


def fits(label: str, arch: str, spare: int = 0) -> None:
    for launch in filters()[label].launches:
        code = made(launch.source.text, launch.source.function, arch)
        assert code.spilled == 0
        assert code.registers <= REGISTERS[label] + spare
        assert len(code.cubin) <= MOST_BYTES


@needs_nvrtc
@pytest.mark.parametrize("label", list(REGISTERS)[:FOR_EVERYBODY])
def test_no_spill_few_registers_little_code(label):
    fits(label, "sm_90")


@pytest.mark.slow
@needs_nvrtc
@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("label", list(REGISTERS)[FOR_EVERYBODY:])
def test_no_spill_in_any_generation(label, arch):
    fits(label, arch, 0 if arch == "sm_90" else OTHERS)


FULL = [
    # With most values in registers, or which spilled before they were held to the text's order.
    Case("median:7", "median:7", {}, ("uint8",), (3,)),
    Case("median:3x7", "median:3x7", {}, ("uint8",), (3,)),
    Case("median:5x7", "median:5x7", {}, ("uint8",), (1,)),
    Case("median:6x7", "median:6x7", {}, ("uint8",), (1,)),
    Case("median:7x6", "median:7x6", {}, ("uint8",), (1,)),
    Case("median:5x4", "median:5x4", {}, ("uint8",), (1,)),
    Case("median:4x2", "median:4x2", {}, ("uint16",), (3,)),
    Case("dilate:7", "dilate:7", {}, ("uint16",), (3,)),
    Case("erode:129", "erode:129", {}, ("uint16",), (1,)),
    Case("erode:50x1", "erode:50x1", {}, ("uint8",), (1,)),
    Case("erode:8", "erode:8", {}, ("float64",), (3,)),
    Case("tophat:9", "tophat:9", {}, ("uint8",), (1,)),
]


@pytest.mark.slow
@needs_nvrtc
@pytest.mark.parametrize("case", FULL, ids=lambda case: case.name)
def test_ranks_and_extrema_spill_nowhere(case):
    (one,) = asked([case])
    for launch, arch in product(one.launches, ARCHS):
        if launch.source.function == "frame":
            continue
        code = made(launch.source.text, launch.source.function, arch)
        assert code.spilled == 0
        assert len(code.cubin) <= MOST_BYTES
        assert code.seconds < 3


def counted(label: str, arch: str) -> Count:
    (launch,) = [one for one in filters()[label].launches if one.source.function != "frame"]
    source = launch.source
    code = disassembled(made(source.text, source.function, arch).cubin, source.function)
    count = count_of(code, source.text, source.function, launch.rows)
    assert count is not None
    return count


@pytest.mark.slow
@needs_nvrtc
@needs_nvdisasm
@pytest.mark.parametrize("label", INSTRUCTIONS)
def test_a_sample_takes_few_instructions(label):
    count = counted(label, "sm_90")
    assert count.instructions <= INSTRUCTIONS[label]
    assert count.local == 0


@pytest.mark.slow
@needs_nvrtc
@needs_nvdisasm
@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize(("label", "taps"), [("3x3 u8 gray", 9), ("15x15 u16 gray", 225)])
def test_the_counts_have_the_arithmetic_that_there_is(label, taps, arch):
    # A byte becomes a float by an addition too, once for the rows of output that it serves.
    assert 1 <= counted(label, arch).adds / taps <= 1.12


@needs_nvrtc
def test_a_spill_is_seen():
    text = """
        extern "C" __global__ void __launch_bounds__(1024) full(float *at)
        {
            float held[100];
            #pragma unroll
            for (int n = 0; n < 100; n++)
                held[n] = at[n * 64];
            __syncthreads();
            #pragma unroll
            for (int n = 0; n < 100; n++)
                at[n * 32] = held[(n + 1) % 100] * held[n];
        }
    """
    assert compile_kernel(text, "full", "sm_90").spilled > 0


def sass(text: str) -> list[Instruction]:
    """Lines of SASS; ``->n`` is the number of the line that a branch leads to."""
    found = []
    for line in text.strip().splitlines():
        words = line.split("#")[0].split()
        predicate = words.pop(0) if words[0].startswith("@") else ""
        operands = " ".join(words[1:])
        if "->" in operands:
            before, _, to = operands.partition("->")
            operands = f"{before}{int(to) * 16:#x}"
        found.append(Instruction(words[0], operands, predicate))
    return found


WALK = sass("""
    S2R R0 SR_TID.X                #  0
    @P0 EXIT                       #  1
    ISETP.GE.AND P1 PT R1 R2 PT    #  2  the loop begins: two rows in a turn
    @P1 BRA ->7                    #  3  an edge
    I2FP.F32.U32 R4 R4             #  4
    I2FP.F32.U32 R5 R5             #  5
    BRA ->9                        #  6
    CALL.REL.NOINC gather          #  7
    NOP                            #  8
    FFMA R6 R4 0x3f R6             #  9
    FFMA R7 R5 0x3f R7             # 10
    @P2 BRA ->13                   # 11  before the first output nothing is stored
    STG.E.64 desc[UR4][R8.64] R6   # 12
    @!P3 BRA ->15                  # 13  nothing was clipped
    VIADD R9 R9 0x1                # 14
    LDG.E.64 R4 desc[UR4][R2.64]   # 15
    @P4 BRA ->2                    # 16
    EXIT                           # 17
""")
# 2 3 4 5 6 9 10 11 12 13 15 16: twelve, of which eight bytes are stored.


def test_the_busiest_way_through_a_loop_is_counted():
    reader = Reader(WALK)
    loop, turning = reader.steady()
    assert turning
    assert loop.head == 2
    once = reader.cost(loop, lambda depth, height: None)
    assert (once.instructions, once.stored, once.adds, once.loaded, once.calls) == (12, 8, 2, 8, 0)
    assert reader.cost(loop, lambda depth, height: None, "warm").instructions == 11


def test_what_a_walk_does_before_its_first_output_is_shared_by_its_samples():
    constants = {"NX": 2, "OUT_BYTES": 4, "IN_BYTES": 4, "KERNEL_H": 3, "ROLLING": 1, "CHANNELS": 1}
    text = "".join(f"#define {name} {value}\n" for name, value in constants.items())
    count = count_of(WALK, text, "rolling", rows=5)
    assert count is not None
    assert count.instructions == 12 / 2
    # Outside the loop 0, 1 and 17; two rows of eleven before the first of five rows of two samples.
    assert count.walked == pytest.approx(12 / 2 + (3 + 2 * 11) / (5 * 2))
    assert count.bytes == 8


def test_a_call_of_a_place_in_the_same_kernel_is_a_jump():
    loop, turning = Reader(
        sass("""
            LDG.E R4 desc[UR4][R2.64]      # 0
            STG.E desc[UR4][R8.64] R4      # 1
            @P0 CALL.REL.NOINC ->4         # 2
            BRA ->0                        # 3
            EXIT                           # 4
        """)
    ).steady()
    assert turning
    assert (loop.head, loop.blocks) == (0, {0, 3})


NEST = sass("""
    MOV R0 RZ                      #  0
    MOV R1 RZ                      #  1  rows
    LDG.E R4 desc[UR4][R2.64]      #  2  chunks of taps
    @P0 BRA ->5                    #  3  no sums in this row
    FFMA R6 R4 R5 R6               #  4
    @P1 BRA ->2                    #  5
    @P2 BRA ->1                    #  6
    F2I.NTZ R6 R6                  #  7
    STG.E.U8 desc[UR4][R8.64] R6   #  8
    EXIT                           #  9
""")


def test_loops_inside_count_once_for_each_turn():
    reader = Reader(NEST)
    loop, turning = reader.steady()
    assert not turning
    turns = {0: 4, 1: 3}
    once = reader.cost(loop, lambda depth, height: turns[height])
    assert once.instructions == 1 + 3 * (1 + 4 * 4 + 1) + 3
    assert once.adds == 12
    idle = reader.cost(loop, lambda depth, height: turns[height], "idle")
    assert idle.instructions == 1 + 3 * (1 + 4 * 3 + 1) + 3


ENDS = sass("""
    MOV R0 RZ                      #  0
    LDG.E R4 desc[UR4][R2.64]      #  1  rows
    @P0 BRA ->6                    #  2  the end of the picture
    STG.E.64 desc[UR4][R8.64] R6   #  3
    @P1 BRA ->1                    #  4
    EXIT                           #  5
    STG.E desc[UR4][R8.64] R6      #  6  a sample after the other
    @P2 BRA ->6                    #  7
    @P3 BRA ->1                    #  8
    EXIT                           #  9
""")


def test_stores_at_the_end_of_a_picture_are_not_the_steady_state():
    loop, _ = Reader(ENDS).steady()
    assert loop.head == 1
    two = sass("""
        LDG.E R4 desc[UR4][R2.64]      # 0  four rows in a turn
        STG.E.128 desc[UR4][R8.64] R4  # 1
        @P0 BRA ->5                    # 2
        NOP                            # 3
        @P1 BRA ->0                    # 4
        LDG.E R4 desc[UR4][R2.64]      # 5  what is left
        STG.E desc[UR4][R8.64] R4      # 6
        @P2 BRA ->5                    # 7
        EXIT                           # 8
    """)
    assert Reader(two).steady()[0].head == 0


def test_rows_without_sums_count_for_less():
    constants = {
        "NX": 1, "OUT_BYTES": 1, "IN_BYTES": 1, "KERNEL_H": 2, "KERNEL_W": 8, "CHUNK": 2,
        "TILE_H": 2, "STRIDE_H": 1, "MEMBERS": 1,
    }  # fmt: skip
    text = "".join(f"#define {name} {value}\n" for name, value in constants.items())
    count = count_of(NEST, text, "wide", rows=2)
    assert count is not None
    # Three rows are seen, of which a row of output sums two.
    assert count.adds == pytest.approx(12 * 2 / 3)
    assert count.instructions == pytest.approx((1 + 3 * 14 + 3) + 12 * 2 / 3)


def test_a_kernel_whose_loops_nobody_knows_is_not_counted():
    text = "#define OUT_BYTES 1\n#define NX 1\n"
    assert count_of(NEST, text, "unheard of", rows=1) is None


def test_blocks_and_where_they_lead():
    flow = Flow(WALK)
    assert flow.blocks[4] == 7
    assert flow.next[4] == [9]
    assert sorted(flow.next[11 - 2]) == [12, 13]
    assert flow.next[17] == []


def test_constants_are_no_arithmetic():
    block = sass(
        "HFMA2.MMA R2,-RZ,RZ,-8192,0\nHFMA2 R2,R3,R4,R5\nIMAD.MOV.U32 R1,RZ,RZ,R2\nIMAD R1,R2,R3,R1"
    )
    assert tally_of(block, whole=False).adds == 1
    assert tally_of(block, whole=True).adds == 2


def test_the_slowest_part_of_a_launch_is_its_ceiling():
    card = CARDS["H100"]
    lanes = {"issue": 16.0, "alu": 4.0, "xu": 1.0}
    count = Count(16, 9, 1, 16, 2, lanes, 0)
    top = ceiling([count], 2, card)
    # 132 multiprocessors of 128 lanes at 1.755 GHz issue 1.85e12 samples a second of 2 bytes each.
    assert top.computing == pytest.approx(132 * 128 * 1.755e9 / 16 * 2 / 3.0e12)
    assert (top.share, top.bound) == (1.0, "memory")
    slow = ceiling([count, count], 2, card)
    assert slow.share == pytest.approx(0.5)
    xu = ceiling([Count(16, 9, 3, 16, 2, lanes | {"xu": 3.0}, 0)], 2, card)
    assert xu.bound == "xu"
    assert xu.share == pytest.approx(132 * 16 * 1.755e9 / 3 * 2 / 3.0e12)


COPY = """
extern "C" __global__ void copy(const uint4 *in, uint4 *out, int count)
{
    for (int i = blockIdx.x * 128 + threadIdx.x; i < count; i += 128 * gridDim.x) {
        uint4 w = in[i];
        w.x += 1;
        out[i] = w;
    }
}
"""


@needs_nvrtc
@needs_nvdisasm
def test_machine_code_is_counted_as_by_hand():
    made = compile_kernel(COPY, "copy", "sm_90")
    reader = Reader(disassembled(made.cubin, "copy"))
    loop, turning = reader.steady()
    once = reader.cost(loop, lambda depth, height: None)
    assert turning
    assert once.stored == once.loaded
    assert once.stored % 16 == 0
    # At least the load, the sum, the store, an address each and the loop's end for each word.
    assert 6 <= once.instructions / (once.stored / 16) <= 14


def test_the_flags_are_those_of_cupy():
    from convcli.engine.gpu.compiling import FLUSH

    assert FLUSH in CUPY_OPTIONS
    found = importlib.util.find_spec("cupy")
    if found is None or found.origin is None:
        pytest.skip("CuPy is not installed")
    text = Path(found.origin).with_name("cuda").joinpath("compiler.py").read_text("utf-8")
    for option in CUPY_OPTIONS:
        assert f"options += ('{option}',)" in text
