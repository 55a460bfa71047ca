// SPDX-License-Identifier: BSD-3-Clause
#include "core/error.h"
#include "core/nbd/uri.h"
#include "tests/unit/catch2.h"

using namespace gptgrow;

namespace {

std::string said_of(void (*use)(const std::string&), const std::string& uri)
{
  try {
    use(uri);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("A name is a server's by its scheme, and a file's otherwise")
{
  for (const char* name : {"nbd://host", "nbds://host/", "nbd+unix:///?socket=x", "nbds+unix:///", "nbd+vsock://2",
                           "nbds+vsock://2", "nbd://"})
    CHECK(nbd::is_uri(name));
  for (const char* name : {"", "nbd", "nbd:", "nbd:/", "nbd:/host", "NBD://host", " nbd://host", "./nbd://host",
                           "nbd+ssh://host", "http://host", "nbdx://host", "image.raw"})
    CHECK_FALSE(nbd::is_uri(name));
}

TEST_CASE("A password in a URI is refused, and is not said again")
{
  for (const char* uri : {"nbd://user:secret@host", "nbd://user:secret@host/export", "nbds://:secret@host:10809",
                          "nbd://user:secret@[::1]/", "nbd+unix://user:secret@/?socket=/x", "nbd://a:b@secret@host",
                          "nbd://user@a:secret@host", "nbd://user:secret@host?x=y", "nbd://user:secret@host#x"}) {
    const std::string words = said_of(nbd::check_no_password, uri);
    CAPTURE(uri);
    CHECK_THAT(words, ContainsSubstring("//...: a password") && ContainsSubstring("tls-psk-file=FILE"));
    CHECK_THAT(words, !ContainsSubstring("secret") && !ContainsSubstring("user"));
  }
}

TEST_CASE("What is no password is taken: a port, a user, an address, and what stands behind the server's name")
{
  for (const char* uri : {"nbd://host:10809", "nbds://user@host:10809/export", "nbd://[::1]:10809", "nbd://user@[::1]",
                          "nbd://host/a:b@c", "nbd://host?a:b@c", "nbd://host#a:b@c", "nbd+unix:///e?socket=/a:b@c",
                          "nbd://", "nbd://@:", "nbd:///"})
    CHECK(said_of(nbd::check_no_password, uri) == "");
}

TEST_CASE("A server with a password in its name is not called, and one that is not there is named")
{
  const auto open = [](const std::string& uri) { (void)nbd::open_server(uri); };
  CHECK_THAT(said_of(open, "nbd+unix://user:secret@/?socket=/nowhere"), ContainsSubstring("a password"));
  const std::string uri = "nbd+unix:///export?socket=/nowhere/socket";
  CHECK_THAT(said_of(open, uri), ContainsSubstring(uri + ": cannot connect: "));
}
