// SPDX-License-Identifier: BSD-3-Clause
// The command line of gptgrow-fuse: options, the mount, the loop.
#include "core/disk/disk_options.h"
#include "core/error.h"
#include "core/nbd/uri.h"
#include "core/report/inspection.h"
#include "core/text.h"
#include "fuse/operations.h"
#include "fuse/read_ahead.h"

#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include <unistd.h>

namespace {

using namespace gptgrow;

constexpr const char kUsage[] =
    "usage: gptgrow-fuse IMAGE MOUNTPOINT -o size=SIZE[,OPTION...] [FUSE options]\n"
    "       gptgrow-fuse IMAGE MOUNTPOINT -o reference=PATH[,OPTION...] [FUSE options]\n"
    "\n"
    "Mounts a raw GPT disk image as a disk of any size, read-only, its backup GPT in place.\n"
    "\n"
    "    -o size=SIZE                   Size of the disk: bytes, or with K, M, G, T, P, E, KB, MB, ..., or s;\n"
    "                                   +SIZE is relative to the image, min the smallest that fits.\n"
    "    -o reference=PATH              The size of this file or block device instead.\n"
    "    -o format=raw|qcow2|vmdk|vhdx|vdi|vhd\n"
    "                                   Of the image's file (default: found from its first bytes).\n"
    "    -o sector-size=512|4096        Logical sector size (default: found from the image).\n"
    "    -o table=primary|backup        GPT to serve from (default: primary).\n"
    "    -o extend=SLOT|last            Make this partition longer, up to the end of the disk.\n"
    "    -o old-backup=zero|keep        Backup GPT that is left behind (default: zero).\n"
    "    -o truncated=refuse|allow      Partitions that the image has only a part of (default: refuse).\n"
    "\n"
    "FUSE options:\n";

/// A line on stderr that cannot do anything to a terminal, whatever is in it.
void complain(std::string_view text)
{
  fmt::print(stderr, "gptgrow-fuse: {}\n", escaped_lines(text));
}

std::string spell(const Hint& hint)
{
  return "-o " + hint.key + (hint.value.empty() ? "" : "=" + hint.value);
}

/// What libfuse says quotes options and paths; of its newlines, only the last is its own.
void log_of_libfuse(fuse_log_level, const char* format, std::va_list arguments)
{
  char buffer[4096];
  if (std::vsnprintf(buffer, sizeof(buffer), format, arguments) < 0)
    return;
  const std::string_view text = buffer;
  const bool ends_line = text.ends_with('\n');
  fmt::print(stderr, "{}{}", escaped(text.substr(0, text.size() - ends_line)), ends_line ? "\n" : "");
}

/// Owned by libfuse's parser.
class Arguments {
public:
  Arguments(int argc, char** argv) : args_ FUSE_ARGS_INIT(argc, argv) {}
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;
  ~Arguments() { fuse_opt_free_args(&args_); }

  fuse_args* get() { return &args_; }

  /// Adds -o `option` before those of the user, who may override it, or behind them.
  void add_option(const std::string& option, bool first)
  {
    char* escaped = nullptr;
    if (fuse_opt_add_opt_escaped(&escaped, option.c_str()) == -1)
      throw std::bad_alloc();
    const std::unique_ptr<char, decltype(&std::free)> owner(escaped, std::free);
    const std::string argument = std::string("-o") + escaped;
    if (fuse_opt_insert_arg(&args_, first ? 1 : args_.argc, argument.c_str()) == -1)
      throw std::bad_alloc();
  }

private:
  fuse_args args_;
};

/// Called for each argument; -1 is an error, 0 takes it, 1 leaves it to libfuse.
int take_argument(void* data, const char* argument, int key, fuse_args*)
{
  auto& options = *static_cast<DiskOptions*>(data);
  const std::string_view text = argument;
  try {
    if (key == FUSE_OPT_KEY_NONOPT || text == "-") {
      if (text.empty())
        refuse("{}: empty, expected a path", options.file.empty() ? "the image" : "the mount point");
      return options.file.empty() && options.set("file", text) ? 0 : 1;
    }
    const std::size_t equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    if (equals == text.npos || text.starts_with('-') || name == "file")
      return 1;
    return options.set(name, text.substr(equals + 1)) ? 0 : 1;
  } catch (const std::exception& e) {
    complain(explain(e, spell));
    return -1;
  }
}

Tree make_tree(const Disk& disk)
{
  const std::uint32_t sector_size_bytes = disk.table().sector_size_bytes;
  std::vector<Partition> partitions;
  for (const Entry& entry : disk.used_entries())
    partitions.push_back({entry.slot, bytes_of(entry, sector_size_bytes, disk.size_bytes()), to_utf8(entry.name),
                          guid_text(entry.partition_guid)});
  const Inspection inspection = inspect(disk);
  std::string json;
  write_json(inspection, [&](std::string_view text) { json += text; });
  return Tree(disk.size_bytes(), partitions, for_terminal(to_text(inspection, {})), json);
}

/// The multi-threaded loop, with a descriptor for each thread where this user may open one.
int loop(fuse_session* session, const fuse_cmdline_opts& options)
{
  if (options.singlethread)
    return fuse_session_loop(session);
  const std::unique_ptr<fuse_loop_config, decltype(&fuse_loop_cfg_destroy)> config(fuse_loop_cfg_create(),
                                                                                   fuse_loop_cfg_destroy);
  fuse_loop_cfg_set_clone_fd(config.get(), ::access("/dev/fuse", R_OK | W_OK) == 0);
  fuse_loop_cfg_set_max_threads(config.get(), options.max_threads);
  // libfuse's parser has a default here that its setter complains about.
  if (options.max_idle_threads != UINT_MAX)
    fuse_loop_cfg_set_idle_threads(config.get(), options.max_idle_threads);
  return fuse_session_loop_mt(session, config.get());
}

/// Where it goes to the background, it goes on in a child, whose standard error is lost.
bool daemonize(const fuse_cmdline_opts& options, const Disk& disk)
{
  if (options.foreground)
    return fuse_daemonize(true) == 0;
  disk.before_fork();
  if (fuse_daemonize(false) != 0)
    return false;
  try {
    disk.after_fork();
    return true;
  } catch (const std::exception& e) {
    complain(explain(e, spell));
    return false;
  }
}

/// Serves until somebody unmounts or a signal comes. What fails has been said by libfuse.
int serve(Arguments& arguments, const fuse_cmdline_opts& options, FileSystem& file_system)
{
  const std::unique_ptr<fuse_session, decltype(&fuse_session_destroy)> session(
      fuse_session_new(arguments.get(), &kOperations, sizeof(kOperations), &file_system), fuse_session_destroy);
  // Before the mount: a signal that came in between would leave it behind.
  if (!session || fuse_set_signal_handlers(session.get()) != 0)
    return EXIT_FAILURE;
  int status = EXIT_FAILURE;
  if (fuse_session_mount(session.get(), options.mountpoint) == 0) {
    widen_read_ahead(options.mountpoint);
    // A positive result is the signal that ended the loop.
    if (daemonize(options, file_system.disk()) && loop(session.get(), options) >= 0)
      status = EXIT_SUCCESS;
    fuse_session_unmount(session.get());
  }
  fuse_remove_signal_handlers(session.get());
  return status;
}

int run(int argc, char** argv)
{
  fuse_set_log_func(log_of_libfuse);
  Arguments arguments(argc, argv);
  DiskOptions disk_options;
  if (fuse_opt_parse(arguments.get(), &disk_options, nullptr, take_argument) == -1)
    return EXIT_FAILURE;
  fuse_cmdline_opts options;
  if (fuse_parse_cmdline(arguments.get(), &options) != 0)
    return EXIT_FAILURE;
  const std::unique_ptr<char, decltype(&std::free)> mountpoint(options.mountpoint, std::free);
  if (options.show_help) {
    fmt::print("{}", kUsage);
    std::fflush(stdout);
    fuse_cmdline_help();
    fuse_lowlevel_help();
    return EXIT_SUCCESS;
  }
  if (options.show_version) {
    fmt::print("gptgrow-fuse {}, libfuse {}\n", GPTGROW_VERSION, fuse_pkgversion());
    return EXIT_SUCCESS;
  }
  if (disk_options.file.empty() || !options.mountpoint)
    refuse("expected an image and a mount point; see gptgrow-fuse --help");

  // The kernel would mount on a file, and the root would be unreachable.
  std::error_code ignored;
  if (!std::filesystem::is_directory(options.mountpoint, ignored))
    refuse("{}: not a directory", options.mountpoint);

  const Disk disk = open_disk(disk_options);
  disk.share();
  for (const std::string& warning : disk.warnings())
    complain(message("warning: {}: {}", disk_options.file, warning));
  FileSystem file_system(disk, make_tree(disk));
  const std::string& file = disk_options.file;
  arguments.add_option("fsname=" + (nbd::is_uri(file) ? file : std::filesystem::absolute(file).string()), true);
  arguments.add_option("subtype=gptgrow-fuse", true);
  // mount(8) says "rw" unless told otherwise.
  arguments.add_option("ro", false);
  arguments.add_option(fmt::format("max_read={}", kMaxReadBytes), false);
  return serve(arguments, options, file_system);
}

}  // namespace

int main(int argc, char** argv)
{
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    complain(explain(e, spell));
    return EXIT_FAILURE;
  }
}
