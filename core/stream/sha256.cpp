// SPDX-License-Identifier: BSD-3-Clause
#include "core/stream/sha256.h"

#include "core/error.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <new>

namespace gptgrow {

namespace {

constexpr std::size_t kDigits = 64;

void check(int result)
{
  if (result != 1)
    throw std::runtime_error("libcrypto cannot compute SHA-256");
}

}  // namespace

struct Sha256::State {
  struct Free {
    void operator()(EVP_MD_CTX* unused) const { ::EVP_MD_CTX_free(unused); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context{::EVP_MD_CTX_new()};
};

Sha256::Sha256() : state_(std::make_unique<State>())
{
  if (!state_->context)
    throw std::bad_alloc();
  check(::EVP_DigestInit_ex(state_->context.get(), ::EVP_sha256(), nullptr));
}

Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;

void Sha256::add(std::span<const std::byte> bytes)
{
  check(::EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()));
}

std::string Sha256::hex()
{
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  check(::EVP_DigestFinal_ex(state_->context.get(), digest.data(), &size));
  std::string text;
  for (unsigned i = 0; i < size; ++i)
    text += fmt::format("{:02x}", digest[i]);
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
