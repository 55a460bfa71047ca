// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace gptgrow {

class Sha256 {
public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;

  void add(std::span<const std::byte> bytes);

  /// 64 hexadecimal digits, of all that was added. Not to be called twice.
  std::string hex();

private:
  struct State;
  std::unique_ptr<State> state_;
};

/// In lower case. Throws Error unless `text` is 64 hexadecimal digits.
std::string parse_sha256(const std::string& text);

}  // namespace gptgrow
