#include "daemon/pages.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>

#include "daemon/commands/commands.hpp"

namespace atcd::daemon {
namespace {

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path.string() + " can't be read");
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_text(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  if (!(file << text) || !file.flush()) throw std::runtime_error(path.string() + " can't be written");
}

void write_pages(const CLI::App& app, const std::filesystem::path& documents,
                 const std::filesystem::path& folder) {
  write_text(folder / "man/atcd.1", command_page(app));
  write_text(folder / "man/atcd.toml.5", config_page(read_text(documents / "atcd.toml"), known_keys()));
  write_text(folder / "man/atcd-redis.7", markdown_page(read_text(documents / "redis.md"), "atcd-redis"));
  write_text(folder / "completions/atcd.bash", bash_completion(app));
  write_text(folder / "completions/_atcd", zsh_completion(app));
}

}  // namespace

/// Hidden: the build calls it.
void add_pages_command(CLI::App& app, int& status) {
  auto* command = app.add_subcommand("pages", "Writes the manual pages and completions")->group("");
  struct Typed {
    std::string documents, folder;
  };
  auto typed = std::make_shared<Typed>();
  command->add_option("--documents", typed->documents, "Where atcd.toml and redis.md are")
      ->required()
      ->type_name("DIR");
  command->add_option("FOLDER", typed->folder, "Gets man/ and completions/")->required()->type_name("DIR");
  command->callback([&app, typed, &status] {
    write_pages(app, typed->documents, typed->folder);
    status = kDone;
  });
}

}  // namespace atcd::daemon
