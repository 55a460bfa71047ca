// SPDX-License-Identifier: BSD-3-Clause
#include "core/nbd/uri.h"

#include "core/error.h"
#include "core/nbd/nbd_source.h"

namespace gptgrow::nbd {

namespace {

class UriServer : public Server {
public:
  explicit UriServer(const std::string& uri) : uri_(uri) {}

  const std::string& name() const override { return uri_; }
  bool can_come_back() const override { return true; }

  Connect connect(unsigned) const override
  {
    return [uri = uri_](nbd_handle* handle) { return ::nbd_aio_connect_uri(handle, uri.c_str()); };
  }

private:
  std::string uri_;
};

}  // namespace

void check_no_password(const std::string& uri)
{
  const std::size_t authority = uri.find("//") + 2;
  const std::size_t end = std::min(uri.find_first_of("/?#", authority), uri.size());
  const std::string_view user = std::string_view(uri).substr(authority, end - authority);
  const std::size_t at = user.rfind('@');
  if (at != user.npos && user.substr(0, at).find(':') != user.npos)
    refuse(
        "{}...: a password, which no NBD server is asked for in this way: leave it out; a TLS key comes from a file: "
        "tls-psk-file=FILE",
        uri.substr(0, authority));
}

std::shared_ptr<const Source> open_server(const std::string& uri)
{
  check_no_password(uri);
  return std::make_shared<const NbdSource>(std::make_unique<UriServer>(uri));
}

}  // namespace gptgrow::nbd
