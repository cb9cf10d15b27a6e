#include "daemon/redaction.hpp"

#include <algorithm>
#include <array>

#include "daemon/catalogue.hpp"
#include "engine/series_id.hpp"

namespace atcd::daemon {
namespace {

constexpr std::string_view kMask = "***";
constexpr std::array<std::string_view, 9> kSecretWords = {
    "password", "passwd", "passphrase", "secret", "token", "credential", "api_key", "apikey", "signature"};
// Shorter ones would be found in half of all words; keys and URLs are masked all the same.
constexpr std::size_t kShortestSecret = 4;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_key_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.';
}

bool names_a_secret(std::string_view key) {
  std::string small(key);
  for (char& c : small) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (small.ends_with("_file")) return false;
  return std::any_of(kSecretWords.begin(), kSecretWords.end(),
                     [&](std::string_view word) { return small.find(word) != std::string::npos; });
}

/// Where the value that begins at `at` ends.
std::size_t end_of_value(std::string_view text, std::size_t at) {
  if (at >= text.size()) return at;
  for (const std::string_view quote : {"\"\"\"", "'''"}) {
    if (!text.substr(at).starts_with(quote)) continue;
    const std::size_t end = text.find(quote, at + quote.size());
    return end == std::string_view::npos ? text.size() : end + quote.size();
  }
  const char first = text[at];
  if (first == '"' || first == '\'') {
    std::size_t end = at + 1;
    while (end < text.size() && text[end] != first && text[end] != '\n')
      end += text[end] == '\\' && first == '"' && end + 1 < text.size() ? 2U : 1U;
    return std::min(end + 1, text.size());
  }
  if (first == '[' || first == '{') return std::min(text.find_first_of("]}\n", at), text.size());
  std::size_t end = at;
  while (end < text.size() && !is_space(text[end]) && text[end] != ',' && text[end] != '}' &&
         text[end] != '&')
    ++end;
  return end;
}

/// Masks the values behind keys: key = value, key=value, "key": "value", also escaped in a JSON text.
std::string mask_keys(std::string_view text) {
  std::string masked;
  for (std::size_t at = 0; at < text.size();) {
    if (!is_key_character(text[at])) {
      masked += text[at++];
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && is_key_character(text[end])) ++end;
    const std::string_view key = text.substr(at, end - at);
    masked += key;
    at = end;
    if (!names_a_secret(key)) continue;
    std::size_t sign = end;
    while (sign < text.size() && (text[sign] == '"' || text[sign] == '\'' || text[sign] == '\\')) ++sign;
    while (sign < text.size() && (text[sign] == ' ' || text[sign] == '\t')) ++sign;
    if (sign >= text.size() || (text[sign] != '=' && text[sign] != ':')) continue;
    std::size_t value = sign + 1;
    while (value < text.size() && (text[value] == ' ' || text[value] == '\t')) ++value;
    if (text.substr(value).starts_with("\\\"")) ++value;  // a quote within a quoted text
    masked.append(text.substr(end, value - end)).append(kMask);
    at = end_of_value(text, value);
  }
  return masked;
}

/// Masks user and password: scheme://user:password@host.
std::string mask_urls(std::string_view text) {
  constexpr std::string_view kSign = "://";
  std::string masked;
  for (;;) {
    const std::size_t sign = text.find(kSign);
    if (sign == std::string_view::npos) return masked.append(text);
    masked += text.substr(0, sign + kSign.size());
    text.remove_prefix(sign + kSign.size());
    // A password may hold a slash that should have been encoded.
    const std::size_t end = std::min(text.find_first_of(" \t\r\n\"'<>"), text.size());
    const std::size_t sign_at = text.substr(0, end).rfind('@');
    if (sign_at == std::string_view::npos) continue;
    masked += kMask;
    text.remove_prefix(sign_at);
  }
}

void replace_all(std::string& text, const std::string& from) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += kMask.size())
    text.replace(at, from.size(), kMask);
}

}  // namespace

std::string without_secrets(std::string_view text, const std::vector<std::string>& secrets) {
  std::string clean(text);
  for (const std::string& secret : secrets) {
    if (secret.size() < kShortestSecret) continue;
    replace_all(clean, secret);
    replace_all(clean, engine::percent_encode(secret));
    const std::string quoted = json_string(secret);
    replace_all(clean, quoted.substr(1, quoted.size() - 2));
  }
  return mask_keys(mask_urls(clean));
}

}  // namespace atcd::daemon
