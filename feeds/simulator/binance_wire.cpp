#include "feeds/simulator/binance_wire.hpp"

#include <array>
#include <cmath>
#include <cstdio>

namespace atcd::feeds::simulator {

std::string decimal(double value) {
  std::array<char, 64> text{};
  const int length = std::snprintf(text.data(), text.size(), "%.8f", value);
  return {text.data(), static_cast<std::size_t>(length)};
}

std::string kline_frame(std::string_view symbol, std::string_view interval, const engine::Bar& bar,
                        bool closed, std::int64_t event_ms, bool combined) {
  const std::string name(symbol), period(interval);
  const std::string quote_volume = decimal(bar.volume * bar.close);
  std::string data = R"({"e":"kline","E":)" + std::to_string(event_ms) + R"(,"s":")" + name +
                     R"(","k":{"t":)" + std::to_string(bar.open_time_ms) + R"(,"T":)" +
                     std::to_string(bar.close_time_ms - 1) + R"(,"s":")" + name + R"(","i":")" + period +
                     R"(","f":100,"L":200,"o":")" + decimal(bar.open) + R"(","c":")" + decimal(bar.close) +
                     R"(","h":")" + decimal(bar.high) + R"(","l":")" + decimal(bar.low) + R"(","v":")" +
                     decimal(bar.volume) + R"(","n":101,"x":)" + (closed ? "true" : "false") + R"(,"q":")" +
                     quote_volume + R"(","V":")" + decimal(bar.volume / 2) + R"(","Q":")" +
                     decimal(bar.volume / 2 * bar.close) + R"(","B":"0"}})";
  if (!combined) return data;
  std::string lower = name;
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return R"({"stream":")" + lower + "@kline_" + period + R"(","data":)" + data + "}";
}

std::string kline_row(const engine::Bar& bar) {
  return "[" + std::to_string(bar.open_time_ms) + ",\"" + decimal(bar.open) + "\",\"" + decimal(bar.high) +
         "\",\"" + decimal(bar.low) + "\",\"" + decimal(bar.close) + "\",\"" + decimal(bar.volume) + "\"," +
         std::to_string(bar.close_time_ms - 1) + ",\"" + decimal(bar.volume * bar.close) + "\",101,\"" +
         decimal(bar.volume / 2) + "\",\"" + decimal(bar.volume / 2 * bar.close) + "\",\"0\"]";
}

std::string error_body(int code, std::string_view message) {
  return R"({"code":)" + std::to_string(code) + R"(,"msg":")" + std::string(message) + R"("})";
}

}  // namespace atcd::feeds::simulator
