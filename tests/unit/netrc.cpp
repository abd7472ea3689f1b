// Which login of a netrc file is a host's, in words as curl reads them.
#include <doctest/doctest.h>

#include <map>

#include "vqcache.hpp"

using namespace vqcache::detail;

namespace {

struct row {
  const char *text, *user, *password;  // of the host "h.test"; user empty: none
};

const row rows[] = {
    {"", "", ""},
    {"machine h.test login u password p", "u", "p"},
    {"machine h.test\n\tlogin u\r\n\tpassword p\r\n", "u", "p"},
    {"machine h.test password p login u", "u", "p"},
    {"MACHINE H.Test LOGIN u Password p", "u", "p"},
    {"machine h.test login u", "u", ""},
    {"machine h.test password p", "", ""},
    {"machine h.test login u account a password p", "u", "p"},
    {"machine h.test account login login u password p", "u", "p"},
    {"machine h.test port 21 login u password p", "u", "p"},
    {"machine h.test.evil login u password p", "", ""},
    {"machine evil-h.test login u password p", "", ""},
    {"machine a login x password y machine h.test login u password p", "u", "p"},
    {"machine h.test login u password p machine h.test login v password q", "u", "p"},
    {"machine h.test machine a login x password y", "", ""},
    {"machine a login x password y\ndefault login d password e", "d", "e"},
    {"machine h.test login u password p\ndefault login d password e", "u", "p"},
    {"machine h.test\ndefault login d password e", "d", "e"},
    // a default before it counts, too: the first one does
    {"default login d password e machine h.test login u password p", "d", "e"},
    // values that are words of their own
    {"machine machine login x password y machine h.test login u password p", "u", "p"},
    {"machine h.test login machine password default", "machine", "default"},
    {"machine h.test login password password login", "password", "login"},
    // quotations
    {"machine h.test login \"a b\" password \"p\\\"q\\\\r\"", "a b", "p\"q\\r"},
    {"machine h.test login u password \"#1\"", "u", "#1"},
    {"machine h.test login u password \"\"", "u", ""},
    {"machine h.test login u password p\"q", "u", "p\"q"},
    {"machine h.test login u password p\\q", "u", "p\\q"},
    {"machine h.test login \"u\n password p", "", ""},
    {"machine h.test login u password \"p\\", "u", ""},
    {"machine \"h.test\" login u password p", "u", "p"},
    // comments
    {"# machine h.test login x password y\nmachine h.test login u password p", "u", "p"},
    {"machine h.test # ours\n login u # mine\n password p", "u", "p"},
    {"machine h.test login u password p#q", "u", "p#q"},
    {"machine h.test login u password #p\n", "u", ""},
    // macros of ftp
    {"macdef init\nmachine h.test login x password y\n\nmachine h.test login u password p", "u",
        "p"},
    {"machine h.test login u password p\nmacdef init\ncd /\n", "u", "p"},
    {"macdef init\r\nmachine h.test login x\r\n\r\nmachine h.test login u password p", "u", "p"},
    {"macdef", "", ""},
    {"macdef init", "", ""},
    {"machine", "", ""},
    {"machine h.test login", "", ""},
    {"default", "", ""},
    {"#", "", ""},
    {"\"", "", ""},
};

credentials::surroundings around(
    const std::map<string, string>& variables, const std::map<string, string>& files) {
  credentials::surroundings here;
  here.variable = [variables](const char* name) {
    const auto at = variables.find(name);
    return at == variables.end() ? string() : at->second;
  };
  here.text = [files](const string& name) {
    const auto at = files.find(name);
    return at == files.end() ? optional<string>() : optional<string>(at->second);
  };
  return here;
}

}  // namespace

TEST_SUITE("netrc") {
  TEST_CASE("the login of a host") {
    for (const row& one : rows) {
      CAPTURE(one.text);
      const optional<credentials::login> found = credentials::login_in(one.text, "h.test");
      CHECK(found.has_value() == (*one.user != '\0'));
      if (!found) continue;
      CHECK(found->user == one.user);
      CHECK(found->password == one.password);
    }
  }

  TEST_CASE("no text of any kind keeps it busy, or makes a login of another host's") {
    const string all = "machine other.test login u password \"p\\n\" macdef x\n#\r\n\n\"";
    for (size_t begin = 0; begin < all.size(); ++begin) {
      for (size_t size = 0; begin + size <= all.size(); ++size) {
        const string text = all.substr(begin, size);
        CAPTURE(text);
        CHECK_FALSE(credentials::login_in(text, "h.test"));
      }
    }
  }

  TEST_CASE("the file is $NETRC, else ~/.netrc, else ~/_netrc; a login goes into a URL as it can") {
    const string mine = "machine h.test login u@x password p:/%", encoded = "u%40x:p%3A%2F%25";
    const string others = "machine o.test login x password y";

    const struct {
      const char* what;
      std::map<string, string> variables, files;
      string login;
    } table[] = {
        {"none", {}, {}, ""},
        {"home", {}, {{"~/.netrc", mine}}, encoded},
        {"Windows", {}, {{"~/_netrc", mine}}, encoded},
        {"the first that is there", {}, {{"~/.netrc", others}, {"~/_netrc", mine}}, ""},
        {"named", {{"NETRC", "/f"}}, {{"/f", mine}, {"~/.netrc", others}}, encoded},
        {"named alone", {{"NETRC", "/f"}}, {{"/f", others}, {"~/.netrc", mine}}, ""},
        {"not there", {{"NETRC", "/f"}}, {{"~/.netrc", mine}}, ""},
    };

    for (const auto& one : table) {
      CAPTURE(one.what);
      result_of<string> found = credentials::login_of("h.test", around(one.variables, one.files));
      REQUIRE_MESSAGE(found.ok(), found.why().text);
      CHECK(*found == one.login);
    }
  }

  TEST_CASE("a login that no request can carry is an error without a byte of it") {
    const auto here = around({}, {{"~/.netrc", "machine h.test login u password \"C4n4ry\\n\""}});
    const result_of<string> found = credentials::login_of("h.test", here);
    CHECK_FALSE(found.ok());
    CHECK(found.why().text.find("C4n4ry") == string::npos);
    CHECK(found.why().text.find("~/.netrc") != string::npos);
  }
}
