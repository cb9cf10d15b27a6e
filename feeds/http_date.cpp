#include "feeds/http_date.hpp"

#include <array>
#include <charconv>
#include <chrono>

namespace atcd::feeds {
namespace {

constexpr std::string_view kForm = "ddd, 00 mmm 0000 00:00:00 GMT";
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

bool has_form(std::string_view text) {
  if (text.size() != kForm.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    const bool letter = kForm[i] == 'd' || kForm[i] == 'm';
    if (kForm[i] == '0' ? !digit : !letter && text[i] != kForm[i]) return false;
  }
  return true;
}

unsigned number(std::string_view text, std::size_t at, std::size_t digits) {
  unsigned value = 0;
  std::from_chars(text.data() + at, text.data() + at + digits, value);
  return value;
}

}  // namespace

std::optional<std::int64_t> parse_http_date(std::string_view text) {
  using namespace std::chrono;
  if (!has_form(text)) return std::nullopt;
  for (unsigned month = 0; month < kMonths.size(); ++month) {
    if (kMonths[month] != text.substr(8, 3)) continue;
    const year_month_day date{year{static_cast<int>(number(text, 12, 4))}, std::chrono::month{month + 1},
                              day{number(text, 5, 2)}};
    const unsigned hour = number(text, 17, 2), minute = number(text, 20, 2), second = number(text, 23, 2);
    if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
    const auto time = sys_days{date} + hours{hour} + minutes{minute} + seconds{second};
    return duration_cast<milliseconds>(time.time_since_epoch()).count();
  }
  return std::nullopt;
}

}  // namespace atcd::feeds
