#include "perf/gpu_ceilings.hpp"

#include <cuda_runtime.h>

#include <algorithm>

namespace atcd::perf {
namespace {

constexpr int kSteps = 4096;
constexpr int kChains = 8;
constexpr int kThreads = 256;

/// Chains of fused multiply-adds, enough of them that their latency is hidden.
__global__ void multiply_add(double* result, double factor) {
  double chain[kChains];
  for (int k = 0; k < kChains; ++k) chain[k] = threadIdx.x + k;
#pragma unroll 4
  for (int i = 0; i < kSteps; ++i) {
#pragma unroll
    for (int k = 0; k < kChains; ++k) chain[k] = fma(chain[k], factor, 1.0);
  }
  double sum = 0;
  for (int k = 0; k < kChains; ++k) sum += chain[k];
  result[blockIdx.x * kThreads + threadIdx.x] = sum;
}

/// The shortest of some tries, in seconds.
template <class Work>
double seconds(Work work) {
  cudaEvent_t start, stop;
  cudaEventCreate(&start);
  cudaEventCreate(&stop);
  float best = 1e30f;
  for (int i = 0; i < 7; ++i) {
    cudaEventRecord(start);
    work();
    cudaEventRecord(stop);
    cudaEventSynchronize(stop);
    float milliseconds = 0;
    cudaEventElapsedTime(&milliseconds, start, stop);
    best = std::min(best, milliseconds);
  }
  cudaEventDestroy(start);
  cudaEventDestroy(stop);
  return static_cast<double>(best) / 1000;
}

}  // namespace

GpuCeilings measure_gpu_ceilings() {
  constexpr std::size_t kBytes = std::size_t{128} << 20;
  void *host = nullptr, *device = nullptr;
  cudaMallocHost(&host, kBytes);
  cudaMalloc(&device, kBytes);
  cudaDeviceProp properties{};
  cudaGetDeviceProperties(&properties, 0);
  const int blocks = properties.multiProcessorCount * 8;
  GpuCeilings ceilings{};
  if (host != nullptr && device != nullptr) {
    const double to = seconds([&] { cudaMemcpyAsync(device, host, kBytes, cudaMemcpyHostToDevice); });
    const double from = seconds([&] { cudaMemcpyAsync(host, device, kBytes, cudaMemcpyDeviceToHost); });
    const double computing =
        seconds([&] { multiply_add<<<blocks, kThreads>>>(static_cast<double*>(device), 0.5); });
    const double instructions = static_cast<double>(blocks) * kThreads * kSteps * kChains;
    if (cudaGetLastError() == cudaSuccess) {
      ceilings = {static_cast<double>(kBytes) / to, static_cast<double>(kBytes) / from,
                  instructions / computing};
    }
  }
  cudaFree(device);
  cudaFreeHost(host);
  return ceilings;
}

}  // namespace atcd::perf
