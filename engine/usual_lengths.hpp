#pragma once

// The lengths that nearly every plan has: base 28 in every family, at each robustness. Kernels unroll their
// scans for them; other plans take the same values in a loop. Also read by nvcc as C++17. On the processor
// only constants are made of them: what is compiled for one instruction set may not leave an inline function
// behind that the linker could keep for everybody.

#if defined(__CUDACC__)
#define ATC_CONSTANT __host__ __device__ constexpr
#else
#define ATC_CONSTANT constexpr
#endif

namespace atcd::engine {

/// The offsets of narrow, medium and wide; `other` stands for any other lengths.
enum class Spread : int { other, narrow, medium, wide };

/// Which of nine lengths is the k-th in size, whatever the base: they are in the order base, plus, minus.
ATC_CONSTANT int index_by_size(int k) { return k < 4 ? 8 - k : k - 4; }

ATC_CONSTANT int usual_offset(Spread spread, int k) {
  if (spread == Spread::narrow) return k + 1;
  if (spread == Spread::wide) return 2 * k + 1;
  return k < 2 ? k + 1 : 2 * k;
}

ATC_CONSTANT int usual_length(Spread spread, int i) {
  constexpr int kBase = 28;
  if (i == 0) return kBase;
  return i <= 4 ? kBase + usual_offset(spread, i - 1) : kBase - usual_offset(spread, i - 5);
}

/// The root of a usual length, which lies between 21 and 35.
ATC_CONSTANT int usual_root(Spread spread, int i) { return usual_length(spread, i) < 25 ? 4 : 5; }

ATC_CONSTANT int usual_longest(Spread spread) { return usual_length(spread, 4); }

}  // namespace atcd::engine
