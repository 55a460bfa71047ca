// SPDX-License-Identifier: BSD-3-Clause
#include "core/stream/sha256.h"

#include "core/error.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace gptgrow {

namespace {

constexpr std::size_t kDigits = 64;

}  // namespace

// Not EVP: that reads a configuration, and loads what it names, where a rescue system has neither.
struct Sha256::State {
  SHA256_CTX context;
};

Sha256::Sha256() : state_(std::make_unique<State>())
{
  ::SHA256_Init(&state_->context);
}

Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;

void Sha256::add(std::span<const std::byte> bytes)
{
  ::SHA256_Update(&state_->context, bytes.data(), bytes.size());
}

std::string Sha256::hex()
{
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  ::SHA256_Final(digest.data(), &state_->context);
  std::string text;
  for (const unsigned char byte : digest)
    text += fmt::format("{:02x}", byte);
  return text;
}

std::string parse_sha256(const std::string& text)
{
  std::string digits = text;
  std::ranges::transform(digits, digits.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (digits.size() != kDigits || digits.find_first_not_of("0123456789abcdef") != std::string::npos)
    refuse("sha256: \"{}\", expected 64 hexadecimal digits, as sha256sum prints them", text);
  return digits;
}

}  // namespace gptgrow
