#include "daemon/roff.hpp"

#include <algorithm>
#include <cctype>

#include "daemon/version.hpp"

namespace atcd::daemon {
namespace {

std::string upper(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return result;
}

}  // namespace

std::string roff(std::string_view text) {
  std::string result;
  bool line_start = true;
  for (const char c : text) {
    if (line_start && (c == '.' || c == '\'')) result += "\\&";
    line_start = c == '\n';
    switch (c) {
      case '\\':
        result += "\\e";
        break;
      case '-':
        result += "\\-";
        break;
      case '\'':
        result += "\\(aq";
        break;
      case '`':
        result += "\\(ga";
        break;
      case '^':
        result += "\\(ha";
        break;
      case '~':
        result += "\\(ti";
        break;
      default:
        result += c;
    }
  }
  return result;
}

std::string roff_inline(std::string_view markdown) {
  std::string result;
  while (!markdown.empty()) {
    const std::size_t start = std::min(markdown.find('`'), markdown.find("**"));
    result += roff(markdown.substr(0, start));
    if (start == std::string_view::npos) break;
    const std::string_view mark = markdown.substr(start, markdown[start] == '`' ? 1 : 2);
    markdown.remove_prefix(start + mark.size());
    const std::size_t end = std::min(markdown.find(mark), markdown.size());
    const std::string_view inside = markdown.substr(0, end);
    result += mark == "`" ? bold(inside) : italic(inside);
    markdown.remove_prefix(std::min(end + mark.size(), markdown.size()));
  }
  return result;
}

std::string roff_title(std::string_view name, int section, std::string_view what) {
  return ".TH \"" + upper(name) + "\" " + std::to_string(section) + " \"\" \"atcd " +
         std::string(version_number()) + "\" \"atcd\"\n.nh\n.ad l\n.SH NAME\n" + roff(name) + " \\- " +
         roff(what) + "\n";
}

std::string roff_heading(std::string_view text, int level) {
  return (level == 1 ? ".SH \"" : ".SS \"") + roff(level == 1 ? upper(text) : text) + "\"\n";
}

std::string roff_lines(std::string_view text) {
  std::string lines = ".PP\n.nf\n" + roff(text);
  if (!lines.ends_with('\n')) lines += '\n';
  return lines + ".fi\n";
}

}  // namespace atcd::daemon
