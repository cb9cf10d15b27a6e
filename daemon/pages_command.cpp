#include <algorithm>
#include <string>
#include <vector>

#include "daemon/help_words.hpp"
#include "daemon/pages.hpp"
#include "daemon/roff.hpp"

namespace atcd::daemon {
namespace {

std::vector<const CLI::App*> shown_commands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* each) { return !each->get_group().empty(); });
}

std::string option_entries(const CLI::App& app, const CLI::Formatter& words, bool positional) {
  std::string entries;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty() || option->get_positional() != positional) continue;
    entries += ".TP\n" + bold(words.make_option_name(option, positional)) +
               italic(words.make_option_opts(option)) + '\n' + roff(words.make_option_desc(option)) + '\n';
  }
  return entries;
}

/// A command with those below it. `name`: "atcd history".
std::string command_section(const CLI::App& app, const CLI::Formatter& words, const std::string& name) {
  const std::vector<const CLI::App*> below = shown_commands(app);
  std::string section = roff_heading(name, 2) + roff(app.get_description()) + ".\n";
  if (below.empty()) {
    const std::string usage = words.make_usage(&app, name);
    section += roff_lines(usage.substr(usage.find(name)));
  }
  section += option_entries(app, words, true) + option_entries(app, words, false);
  if (!app.get_footer().empty()) section += roff_lines(app.get_footer());
  for (const CLI::App* each : below) section += command_section(*each, words, name + " " + each->get_name());
  return section;
}

/// Each line of the program's footer, "Exit status: ...", is a section.
std::string footer_sections(std::string_view footer) {
  std::string sections;
  while (!footer.empty()) {
    const std::string_view line = footer.substr(0, footer.find('\n'));
    footer.remove_prefix(std::min(line.size() + 1, footer.size()));
    const std::size_t colon = line.find(": ");
    sections += roff_heading(line.substr(0, colon)) + roff(line.substr(colon + 2)) + '\n';
  }
  return sections;
}

}  // namespace

std::string command_page(const CLI::App& app) {
  const HelpWords words;
  const std::string description = app.get_description();
  std::string page = roff_title("atcd", 1, description.substr(description.find(' ') + 1));
  page += roff_heading("Synopsis") + bold("atcd") + " " + italic("COMMAND") + roff(" [OPTIONS]") + '\n';
  page += roff_heading("Description") + roff(description) + ".\n" + option_entries(app, words, false);
  page += roff_heading("Commands");
  for (const CLI::App* each : shown_commands(app))
    page += command_section(*each, words, "atcd " + each->get_name());
  return page + footer_sections(app.get_footer());
}

}  // namespace atcd::daemon
