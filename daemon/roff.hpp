#pragma once

#include <string>
#include <string_view>

namespace atcd::daemon {

/// The text as roff shows it to the letter: no hyphens for minus signs, no curly quotes, nothing taken for a
/// request.
std::string roff(std::string_view text);
inline std::string bold(std::string_view text) { return "\\fB" + roff(text) + "\\fR"; }
inline std::string italic(std::string_view text) { return "\\fI" + roff(text) + "\\fR"; }

/// `code` in bold, **stressed** in italics.
std::string roff_inline(std::string_view markdown);

/// The first lines of a page, up to the description in NAME.
std::string roff_title(std::string_view name, int section, std::string_view what);
/// A heading of a section (level 1) or of a part of one.
std::string roff_heading(std::string_view text, int level = 1);
/// Lines that are shown as they are.
std::string roff_lines(std::string_view text);

}  // namespace atcd::daemon
