#include <algorithm>
#include <string>
#include <vector>

#include "daemon/pages.hpp"
#include "daemon/roff.hpp"

namespace atcd::daemon {
namespace {

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

/// What our documents use of Markdown: headings, paragraphs, numbered lists, tables, fenced lines.
class Markdown {
 public:
  explicit Markdown(std::string_view name) : name_(name) {}

  void take(std::string_view line) {
    if (line.starts_with("```")) {
      if (fenced_) page_ += roff_lines(lines_);
      lines_.clear();
      fenced_ = !fenced_;
    } else if (fenced_) {
      lines_ += std::string(line) + '\n';
    } else if (line.starts_with("# ")) {
      std::string what(line.substr(2));
      what[0] = static_cast<char>(what[0] - 'A' + 'a');  // "What ..." becomes "what ..."
      page_ += roff_title(name_, 7, what) + roff_heading("Description");
    } else if (line.starts_with("## ")) {
      page_ += roff_heading(line.substr(3));
    } else if (line.starts_with("|")) {
      take_row(line);
    } else if (line.empty()) {
      paragraph_ended_ = true;
    } else {
      take_text(line);
    }
    if (!line.starts_with("|")) rows_ = 0;
  }

  std::string page() const { return page_ + roff_heading("See also") + roff("atcd(1), atcd.toml(5)") + '\n'; }

 private:
  void take_text(std::string_view line) {
    const std::size_t dot = line.find(". ");
    const bool item = dot != std::string_view::npos && dot > 0 &&
                      line.substr(0, dot).find_first_not_of("0123456789") == std::string_view::npos;
    if (item) {
      page_ += ".IP \"" + std::string(line.substr(0, dot + 1)) + "\" 4\n";
      line.remove_prefix(dot + 2);
    } else if (paragraph_ended_ && !page_.ends_with("\"\n")) {
      page_ += ".PP\n";
    }
    paragraph_ended_ = false;
    page_ += roff_inline(trimmed(line)) + '\n';
  }

  /// Of a table's rows the first cell becomes the term that the others explain; its headings are left out.
  void take_row(std::string_view line) {
    if (++rows_ <= 2) return;
    std::vector<std::string_view> cells;
    line.remove_prefix(1);
    while (!trimmed(line).empty()) {
      const std::string_view cell = line.substr(0, line.find('|'));
      cells.push_back(trimmed(cell));
      line.remove_prefix(std::min(cell.size() + 1, line.size()));
    }
    page_ += ".TP\n" + roff_inline(cells.front()) + '\n';
    for (std::size_t i = 1; i < cells.size(); ++i) {
      page_ += roff_inline(cells[i]) + (i + 1 < cells.size() ? ":\n" : "\n");
    }
  }

  std::string_view name_;
  std::string page_, lines_;
  bool fenced_ = false;
  bool paragraph_ended_ = false;
  std::size_t rows_ = 0;  // of the table so far
};

}  // namespace

std::string markdown_page(std::string_view text, std::string_view name) {
  Markdown markdown(name);
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    markdown.take(line);
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return markdown.page();
}

}  // namespace atcd::daemon
