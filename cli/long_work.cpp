// SPDX-License-Identifier: BSD-3-Clause
#include "cli/long_work.h"

#include "cli/command.h"

#include "core/report/text_style.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include <sys/ioctl.h>
#include <unistd.h>

namespace gptgrow {

namespace {

using Clock = std::chrono::steady_clock;
using Phase = Monitor::Phase;

constexpr auto kRedraw = std::chrono::milliseconds(200);
constexpr auto kLine = std::chrono::seconds(10);
constexpr std::size_t kMaxBar = 30;

Monitor* volatile stopped_by_signals = nullptr;

void stop(int)
{
  stopped_by_signals->stop = true;
}

const char* name(Phase phase)
{
  switch (phase) {
  case Phase::preparing: return "preparing";
  case Phase::reading: return "reading";
  case Phase::copying: return "copying";
  case Phase::writing_table: return "writing the table";
  case Phase::verifying: break;
  }
  return "verifying";
}

std::string duration(double seconds)
{
  const auto whole = static_cast<std::uint64_t>(seconds);
  return whole < 3600 ? fmt::format("{}:{:02}", whole / 60, whole % 60)
                      : fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

/// How far one phase is, at one moment.
struct Progress {
  Phase phase;
  std::uint64_t done, total, made;
  double bytes_per_second, made_per_second;

  double share() const { return std::min(1.0, static_cast<double>(done) / static_cast<double>(total)); }

  std::string text() const
  {
    if (total == 0)
      return made == 0 ? name(phase) : fmt::format("{}  {}{}", name(phase), short_size(done), what_is_made());
    std::string result = fmt::format("{} {:3.0f}%  {} of {}", name(phase), std::floor(share() * 100), short_size(done),
                                     short_size(total));
    if (bytes_per_second >= 1)
      result +=
          fmt::format("  {}/s{}  {} left", short_size(static_cast<std::uint64_t>(bytes_per_second)), what_is_made(),
                      duration(static_cast<double>(total - std::min(done, total)) / bytes_per_second));
    return result;
  }

  /// Of a compressed file.
  std::string what_is_made() const
  {
    return made == 0 ? ""
                     : fmt::format(" in, {} at {}/s out", short_size(made),
                                   short_size(static_cast<std::uint64_t>(made_per_second)));
  }

  /// In at most `width` columns: a bar where there is room.
  std::string line(std::size_t width) const
  {
    const std::string words = text();
    if (total == 0 || words.size() + 8 > width)
      return words.substr(0, width);
    const std::size_t bar = std::min(width - words.size() - 4, kMaxBar);
    const auto full = static_cast<std::size_t>(share() * static_cast<double>(bar));
    return fmt::format("[{}{}] {}", std::string(full, '#'), std::string(bar - full, '.'), words);
  }
};

/// In place of what was drawn before. The control characters are ours alone.
void draw(std::string_view line)
{
  (void)std::fputs(fmt::format("\r{}\x1b[K", escaped(line)).c_str(), stderr);
}

std::size_t terminal_width()
{
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1u : 79;
}

}  // namespace

LongWork::LongWork()
    : on_terminal_(::isatty(STDERR_FILENO) == 1), thread_([this](std::stop_token token) { show(token); })
{
  stopped_by_signals = &monitor_;
  const auto handle = [this](int signal, void (*handler)(int)) {
    struct sigaction action {
    }, old{};
    action.sa_handler = handler;
    action.sa_flags = static_cast<int>(SA_RESTART | SA_RESETHAND);
    if (::sigaction(signal, nullptr, &old) == 0 && old.sa_handler != SIG_IGN &&
        ::sigaction(signal, &action, nullptr) == 0)
      old_actions_.emplace_back(signal, old);
  };
  for (const int signal : {SIGINT, SIGTERM, SIGHUP})
    handle(signal, stop);
  handle(SIGPIPE, SIG_IGN);
}

LongWork::~LongWork()
{
  for (const auto& [signal, action] : old_actions_)
    ::sigaction(signal, &action, nullptr);
}

void LongWork::show(std::stop_token stop)
{
  Phase phase = monitor_.phase;
  std::uint64_t first = monitor_.done_bytes;
  auto began = Clock::now();
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, stop, on_terminal_ ? kRedraw : kLine, [] { return false; }) && !stop.stop_requested()) {
    const auto now = Clock::now();
    if (monitor_.phase != phase) {
      phase = monitor_.phase;
      first = monitor_.done_bytes;
      began = now;
    }
    const std::uint64_t done = monitor_.done_bytes;
    const double seconds = std::chrono::duration<double>(now - began).count();
    const double moved = static_cast<double>(done - std::min(first, done));
    const std::uint64_t made = monitor_.made_bytes;
    const auto rate = [&](double bytes) { return seconds > 0 ? bytes / seconds : 0; };
    const Progress progress{phase, done, monitor_.total_bytes, made, rate(moved), rate(static_cast<double>(made))};
    if (on_terminal_)
      draw(progress.line(terminal_width()));
    else
      complain(progress.text());
  }
  if (on_terminal_)
    draw("");
}

}  // namespace gptgrow
