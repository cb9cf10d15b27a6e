#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "daemon/pages.hpp"

namespace atcd::daemon {
namespace {

/// What an option's value or a positional may be, as its type says in --help.
enum class Value { none, file, directory, choice, text };

Value value_of(const CLI::Option& option) {
  if (option.get_type_size() == 0) return Value::none;
  const std::string type = option.get_type_name();
  if (type == "DIR") return Value::directory;
  if (type == "PATH" || type.starts_with("FILE") || type.ends_with(".csv")) return Value::file;
  return type.find('|') == std::string::npos ? Value::text : Value::choice;
}

std::string choices_of(const CLI::Option& option) {
  std::string words = option.get_type_name();
  for (char& c : words) c = c == '|' ? ' ' : c;
  return words;
}

std::vector<std::string> names_of(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

std::vector<const CLI::Option*> options_of(const CLI::App& app, bool positional) {
  return app.get_options([positional](const CLI::Option* option) {
    return !option->get_group().empty() && option->get_positional() == positional;
  });
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* each) { return !each->get_group().empty(); });
}

std::string joined(const std::vector<std::string>& words, const std::string& between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

/// Calls for the program and every command below it; `path`: "", " history", " history list".
void for_each_command(const CLI::App& app, const std::string& path,
                      const std::function<void(const CLI::App&, const std::string&)>& call) {
  call(app, path);
  for (const CLI::App* each : commands_of(app)) for_each_command(*each, path + " " + each->get_name(), call);
}

// ---- bash

std::string bash_values(const CLI::App& app) {
  std::ostringstream out;
  for_each_command(app, "", [&](const CLI::App& command, const std::string& path) {
    for (const CLI::Option* option : options_of(command, false)) {
      const Value value = value_of(*option);
      if (value == Value::none) continue;
      std::vector<std::string> patterns;
      for (const std::string& name : names_of(*option)) patterns.push_back("\"" + path + " " + name + "\"");
      out << "    " << joined(patterns, "|") << ") ";
      if (value == Value::file) out << "_atcd_reply=(-f)";
      if (value == Value::directory) out << "_atcd_reply=(-d)";
      if (value == Value::choice) out << "_atcd_reply=(-W \"" << choices_of(*option) << "\")";
      if (value == Value::text) out << "_atcd_reply=()";
      out << " ;;\n";
    }
  });
  return out.str();
}

/// What may stand where no option's value does.
std::string bash_words(const CLI::App& app) {
  std::ostringstream out;
  for_each_command(app, "", [&](const CLI::App& command, const std::string& path) {
    std::vector<std::string> options, commands;
    for (const CLI::Option* option : options_of(command, false)) {
      for (const std::string& name : names_of(*option)) options.push_back(name);
    }
    for (const CLI::App* each : commands_of(command)) commands.push_back(each->get_name());
    bool files = false;
    for (const CLI::Option* option : options_of(command, true)) {
      const Value value = value_of(*option);
      files = files || value == Value::file || value == Value::directory;
      if (value == Value::choice) commands.push_back(choices_of(*option));
    }
    out << "    \"" << path << "\") options=\"" << joined(options, " ") << "\" words=\""
        << joined(commands, " ") << "\" files=" << (files ? "yes" : "") << " ;;\n";
  });
  return out.str();
}

std::string bash_commands(const CLI::App& app) {
  std::vector<std::string> patterns;
  for_each_command(app, "", [&](const CLI::App&, const std::string& path) {
    if (!path.empty()) patterns.push_back("\"" + path + "\"");
  });
  return joined(patterns, "|");
}

// ---- zsh

/// Between single quotes; in specifications [ ] and : mean something.
std::string zsh_text(std::string_view text, bool specification) {
  std::string result;
  for (const char c : text) {
    if (c == '\'') {
      result += "'\\''";
    } else {
      if (c == '\\' || c == ':' || (specification && (c == '[' || c == ']'))) result += '\\';
      result += c;
    }
  }
  return result;
}

std::string zsh_value(const CLI::Option& option) {
  std::string label = ":" + zsh_text(option.get_type_name(), true) + ":";
  switch (value_of(option)) {
    case Value::none:
      return "";
    case Value::file:
      return label + "_files";
    case Value::directory:
      return label + "_files -/";
    case Value::choice:
      return label + "(" + choices_of(option) + ")";
    case Value::text:
      return label;
  }
  return "";
}

std::string zsh_option(const CLI::Option& option) {
  const std::vector<std::string> names = names_of(option);
  const std::string rest = "[" + zsh_text(option.get_description(), true) + "]" + zsh_value(option) + "'";
  if (names.size() == 1) return "'" + names.front() + rest;
  return "'(" + joined(names, " ") + ")'{" + joined(names, ",") + "}'" + rest;
}

std::string zsh_function(const CLI::App& app, const std::string& path) {
  std::string name = "_atcd" + path;
  for (char& c : name) c = c == ' ' ? '_' : c;
  std::ostringstream out;
  out << name << "() {\n";
  const std::vector<const CLI::App*> below = commands_of(app);
  std::string arguments;
  for (const CLI::Option* option : options_of(app, false)) arguments += " \\\n    " + zsh_option(*option);
  if (below.empty()) {
    for (const CLI::Option* option : options_of(app, true)) {
      const bool many = option->get_expected_max() > 1;
      arguments += std::string(" \\\n    '") + (many ? "*" : "") +
                   (zsh_value(*option).empty() ? ":value:" : zsh_value(*option)) + "'";
    }
    out << "  _arguments" << arguments << "\n}\n";
    return out.str();
  }
  out << "  local context state state_descr line\n  typeset -A opt_args\n  _arguments -C" << arguments
      << " \\\n    '1: :->command' '*:: :->arguments'\n  case $state in\n    command)\n      local -a "
         "commands=(\n";
  for (const CLI::App* each : below) {
    out << "        '" << each->get_name() << ":" << zsh_text(each->get_description(), false) << "'\n";
  }
  out << "      )\n      _describe command commands ;;\n    arguments)\n      case $words[1] in\n";
  for (const CLI::App* each : below) {
    out << "        " << each->get_name() << ") " << name << "_" << each->get_name() << " ;;\n";
  }
  out << "      esac ;;\n  esac\n}\n";
  return out.str();
}

}  // namespace

std::string bash_completion(const CLI::App& app) {
  return "# Completion of atcd for bash, made from its own options.\n"
         "# What the value of an option may be: arguments of compgen. Fails where it takes none.\n"
         "_atcd_value() {\n  case \"$1\" in\n" +
         bash_values(app) +
         "    *) return 1 ;;\n  esac\n}\n\n"
         "_atcd() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} path= at options= words= files=\n"
         "  local -a _atcd_reply\n"
         "  COMPREPLY=()\n"
         "  for ((at = 1; at < COMP_CWORD; ++at)); do\n"
         "    _atcd_value \"$path ${COMP_WORDS[at-1]}\" && continue\n"
         "    case \"$path ${COMP_WORDS[at]}\" in\n      " +
         bash_commands(app) +
         ") path=\"$path ${COMP_WORDS[at]}\" ;;\n    esac\n  done\n"
         "  if _atcd_value \"$path ${COMP_WORDS[COMP_CWORD-1]}\"; then\n"
         "    [ ${#_atcd_reply[@]} -eq 0 ] || mapfile -t COMPREPLY < <(compgen \"${_atcd_reply[@]}\" -- "
         "\"$current\")\n"
         "    return\n  fi\n"
         "  case \"$path\" in\n" +
         bash_words(app) +
         "  esac\n"
         "  if [[ $current == -* ]]; then\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$current\")\n"
         "  elif [ -n \"$files\" ]; then\n"
         "    mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
         "  else\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
         "  fi\n}\n"
         "complete -o filenames -F _atcd atcd\n";
}

std::string zsh_completion(const CLI::App& app) {
  std::string text = "#compdef atcd\n# Completion of atcd for zsh, made from its own options.\n\n";
  for_each_command(app, "", [&](const CLI::App& command, const std::string& path) {
    text += zsh_function(command, path) + '\n';
  });
  return text + "_atcd \"$@\"\n";
}

}  // namespace atcd::daemon
