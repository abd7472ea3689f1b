// Which keys, region and address a store takes: the two files, the answers of those who give keys,
// the order in which they are asked, and where an object is. Every secret here is or holds C4n4ry,
// and no error may.
#include <doctest/doctest.h>

#include <map>
#include <vector>

#include "vqcache.hpp"

using namespace vqcache::detail;
using credentials::asks;
using credentials::file_kind;
using vqcache::errc;

namespace {

const string canary = "C4n4ry";

// What a test lets be there: variables and files.
class world {
 public:
  world() : world(std::map<string, string>(), std::map<string, string>()) {}

  world(std::map<string, string> variables, std::map<string, string> files)
      : variables_(std::move(variables)),
        files_(std::move(files)) {
    around_.variable = [this](const char* name) {
      const auto at = variables_.find(name);
      return at == variables_.end() ? string() : at->second;
    };
    around_.text = [this](const string& name) {
      ++files_read_;
      const auto at = files_.find(name);
      return at == files_.end() ? optional<string>() : optional<string>(at->second);
    };
  }

  world(const world&) = delete;
  world& operator=(const world&) = delete;

  const credentials::surroundings& around() const { return around_; }

 private:
  std::map<string, string> variables_{}, files_{};
  credentials::surroundings around_{};
  int files_read_ = 0;
};

places::place place_of(const string& given) {
  result_of<places::place> read = places::parse(given);
  REQUIRE_MESSAGE(read.ok(), read.why().text);
  return *read;
}

// What a person is told, which is never a secret.
string told(const status& problem) {
  CHECK_FALSE(problem.ok());
  CHECK_FALSE(strings::contains(problem.text, canary));
  CHECK_FALSE(strings::has_control(problem.text));
  return problem.text;
}

struct looked {
  status problem{};
  credentials::store store{};
  credentials::step next{};
};

looked look(const string& given, const world& here) {
  const places::place at = place_of(given);
  const credentials::known from = credentials::look(at, here.around());
  result_of<credentials::store> store = credentials::store_of(from);
  if (!store.ok()) return {store.why(), {}, {}};
  result_of<credentials::step> next = credentials::first_step(from, *store);
  if (!next.ok()) return {next.why(), *store, {}};
  return {{}, *store, *next};
}

using variables = std::map<string, string>;
using files = std::map<string, string>;

const char* const good_keys = "aws_access_key_id=AK\naws_secret_access_key=C4n4ry\n";
const string keys_file = "~/.aws/credentials", config_file = "~/.aws/config";

// As JSON, of a container and of an instance.
const string json_keys =
    R"({"Code": "Success", "AccessKeyId": "ASIA1", "SecretAccessKey": "C4n4ry/s",)"
    R"( "Token": "C4n4ry.t", "Expiration": "2026-11-30T08:15:00Z"})";

bool has_header(const credentials::question& asked, const string& line) {
  for (const string& one : asked.headers) {
    if (one == line) return true;
  }
  return false;
}

}  // namespace

TEST_SUITE("credentials") {
  TEST_CASE("a setting of a profile, as the two files have it") {
    const struct {
      const char *title, *text, *profile, *name, *config, *credentials;
    } rows[] = {
        {"nothing", "", "foo", "a", "", ""},
        {"a profile", "[profile foo]\na = 1", "foo", "a", "1", ""},
        {"as the credentials file names it", "[foo]\na=1", "foo", "a", "", "1"},
        {"the default", "[default]\na=1", "default", "a", "1", "1"},
        {"the named default overrules", "[profile default]\nb=2\n[default]\na=1", "default", "a",
            "", "1"},
        {"be it behind the other", "[default]\nb=1\n[profile default]\nb=2", "default", "b", "2",
            "1"},
        {"blanks around", "[  profile \t foo \t]\n \n\t\nname \t=  \tvalue \t", "foo", "name",
            "value", ""},
        {"lines of Windows", "[profile foo]\r\na = 1\r\nb = 2\r\n", "foo", "b", "2", ""},
        {"a mark of the byte order", "\xef\xbb\xbf[profile foo]\na = 1", "foo", "a", "1", ""},
        {"an equals sign in a value", "[profile foo]\na = b=c==", "foo", "a", "b=c==", ""},
        {"an empty value", "[profile foo]\na =\nb=1", "foo", "a", "", ""},
        {"names in any case", "[profile foo]\nAws_ID=1", "foo", "aws_id", "1", ""},
        {"but profiles as they are", "[profile Foo]\na=1", "foo", "a", "", ""},
        {"comments", "# [profile foo]\n[profile foo] ; x\n;a=0\na=1 # b\n  # c\nb=2", "foo", "a",
            "1", ""},
        {"a mark inside of a value", "[profile foo]\na=1;2#3 ;4", "foo", "a", "1;2#3", ""},
        {"the later of two", "[profile foo]\na=1\na=2", "foo", "a", "2", ""},
        {"of two sections", "[profile foo]\na=1\n[profile x]\na=3\n[profile foo]\na=2", "foo", "a",
            "2", ""},
        {"which are one", "[profile foo]\na=1\n[profile foo]\nb=2", "foo", "a", "1", ""},
        {"a block", "[profile foo]\ns3 =\n  endpoint_url = u\n  x = y # z\na=1", "foo",
            "s3/endpoint_url", "u", ""},
        {"its next member", "[profile foo]\ns3 =\n  endpoint_url = u\n\n\tX = y # z\na=1", "foo",
            "s3/x", "y", ""},
        {"what follows it", "[profile foo]\ns3 =\n  endpoint_url = u\na=1", "foo", "a", "1", ""},
        {"a block's member is none of the profile's", "[profile foo]\ns3 =\n  endpoint_url = u",
            "foo", "endpoint_url", "", ""},
        {"an indented section", "[profile foo]\n  a=1\n  b=2\n  s3=\n    c=3\n  d=4", "foo", "b",
            "2", ""},
        {"and a block in it", "[profile foo]\n  a=1\n  s3=\n    c=3\n  d=4", "foo", "s3/c", "3",
            ""},
        {"a value that goes on", "[profile foo]\na=1\n  b=2", "foo", "a", "1\nb=2", ""},
        {"quoted names", "[profile \"my one\"]\na=1", "my one", "a", "1", ""},
        {"other sections", "[sso-session foo]\na=1\n[plugins]\na=2\n[profilefoo]\na=3", "foo", "a",
            "", ""},
        {"what follows an unended header is nobody's", "[profile foo]\na=1\n[profile bar\na=2",
            "foo", "a", "1", ""},
    };

    for (const auto& one : rows) {
      CAPTURE(one.title);
      const credentials::ini config = credentials::read_ini(one.text, file_kind::config);
      const credentials::ini keys = credentials::read_ini(one.text, file_kind::credentials);
      CHECK(credentials::setting_of(config, one.profile, one.name) == one.config);
      CHECK(credentials::setting_of(keys, one.profile, one.name) == one.credentials);
    }
  }

  TEST_CASE("a line that is nothing is overlooked, and which it was is known") {
    const struct {
      const char* text;
      size_t odd;
    } rows[] = {
        {"", 0},
        {"[profile foo]\n\n# a\na = 1\ns3 =\n b = 2\n", 0},
        {"a = 1\n[profile foo]", 1},
        {"[profile foo]\na : 1", 2},
        {"[profile foo]\n= 1", 2},
        {"[profile foo]\n\n[profile bar\na = 1", 3},
        {"[profile foo]\ns3 =\n  b\nx", 3},
        {"[profile foo]\ns3 =\n  = b", 3},
        {" -continued", 1},
    };

    for (const auto& one : rows) {
      CAPTURE(one.text);
      CHECK(credentials::read_ini(one.text, file_kind::config).odd_line == one.odd);
    }
    const credentials::ini left =
        credentials::read_ini("[profile foo]\nx\na = 1", file_kind::config);
    CHECK(credentials::setting_of(left, "foo", "a") == "1");
    CHECK(credentials::has_profile(left, "foo"));
    CHECK_FALSE(credentials::has_profile(left, "bar"));
  }

  TEST_CASE("one flat object of JSON: its strings, or that it is none") {
    const struct {
      const char *text, *a;
      bool is_good;
    } rows[] = {
        {"{}", "", true},
        {" { } \r\n", "", true},
        {R"({"a":"1"})", "1", true},
        {R"({ "b" : "2" , "a" : "1" })", "1", true},
        {R"({"a":"1","a":"2"})", "2", true},
        {R"({"a":"\"\\\/\b\f\n\r\t"})", "\"\\/\b\f\n\r\t", true},
        {R"({"a":"\u0041\u00e4\u20AC\ud83d\ude00"})", "A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
            true},
        {R"({"\u0061":"1"})", "1", true},
        {R"({"b":1,"c":-2.5e+3,"d":true,"e":null,"a":"1"})", "1", true},
        {R"({"b":{"a":"0","c":["}",{"]":"\""}]},"a":"1"})", "1", true},
        {R"({"b":[],"a":1})", "", true},
        {"", "", false},
        {"[]", "", false},
        {"\"a\"", "", false},
        {R"({"a":"1")", "", false},
        {R"({"a":"1"}})", "", false},
        {R"({"a":"1"} x)", "", false},
        {R"({"a":"1",})", "", false},
        {R"({"a" "1"})", "", false},
        {R"({"a":})", "", false},
        {R"({"a":yes})", "", false},
        {R"({a:"1"})", "", false},
        {R"({"a":"1)", "", false},
        {R"({"a":"\x"})", "", false},
        {R"({"a":"\u12"})", "", false},
        {R"({"a":"\u12g4"})", "", false},
        {R"({"a":"\ud83d"})", "", false},
        {R"({"a":"\ud83dA\ude00"})", "", false},
        {R"({"a":"\ude00"})", "", false},
        {R"({"a":"\ud83d\u0041"})", "", false},
        {"{\"a\":\"1\n\"}", "", false},
        {R"({"b":[[{"a":"1"})", "", false},
        {"<html></html>", "", false},
    };

    for (const auto& one : rows) {
      CAPTURE(one.text);
      const optional<list<signature::field>> read = credentials::read_json(one.text);
      CHECK(read.has_value() == one.is_good);
      if (read) CHECK(credentials::find(*read, "a") == one.a);
    }
    const string deep(60000, '[');
    CHECK_FALSE(credentials::read_json("{\"a\":" + deep).has_value());
    const string large = "{\"a\":\"" + string(70000, 'x') + "\"}";
    CHECK_FALSE(credentials::read_json(large).has_value());
  }

  TEST_CASE("the text of an element of XML, and nothing that a document declares") {
    const struct {
      const char *xml, *text;
    } rows[] = {
        {"<Error><Code>NoSuchKey</Code></Error>", "NoSuchKey"},
        {"<?xml version=\"1.0\"?>\r\n<Error a='b'>\r\n <Code x=\"y\">A</Code\n></Error>", "A"},
        {"<Code>a&amp;b&lt;c&gt;d&quot;e&apos;f&#65;&#x42;&#x20AC;</Code>",
            "a&b<c>d\"e'fAB\xe2\x82\xac"},
        {"<Code>&nope;&#0;&#xd800;&#x110000;&#;&;&amp</Code>",
            "&nope;&#0;&#xd800;&#x110000;&#;&;&amp"},
        {"<Code>A</Code><Code>B</Code>", "A"},
        {"<Code/><Code></Code>", ""},
        {"<Codes>A</Codes><Code>B</Code>", "B"},
        {"<!-- <Code>A</Code> --><Code>B</Code>", "B"},
        {"<![CDATA[<Code>A</Code>]]><Code>B</Code>", "B"},
        {"<!-- > <Code>A</Code> --><Code>B</Code>", "B"},
        {"<![CDATA[> <Code>A</Code>]]><Code>B</Code>", "B"},
        {"<? > <Code>A</Code> ?><Code>B</Code>", "B"},
        {"<Code><b>A</b></Code>", ""},
        {"<Code>A", ""},
        {"<Code>A</Cod", ""},
        {"<Code", ""},
        {"<!-- <Code>A</Code>", ""},
        {"{\"Code\":\"A\"}", ""},
        {"", ""},
        {"<!DOCTYPE x [<!ENTITY a \"&b;&b;\"><!ENTITY b \"&c;&c;\">]><Code>&a;</Code>", "&a;"},
        {"<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><Code>&a;</Code>", "&a;"},
    };

    for (const auto& one : rows) {
      CAPTURE(one.xml);
      CHECK(credentials::text_of(one.xml, "Code") == one.text);
    }
    const string far = string(70000, ' ') + "<Code>A</Code>";
    CHECK(credentials::text_of(far, "Code").empty());
  }

  TEST_CASE("what a store says of an error") {
    const credentials::store_error read = credentials::read_store_error(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AuthorizationHeaderMalformed"
        "</Code><Message>the region 'us-east-1' is wrong;\n expecting &apos;eu-west-1&apos;"
        "</Message><Region>eu-west-1</Region></Error>");
    CHECK(read.code == "AuthorizationHeaderMalformed");
    CHECK(read.message == "the region 'us-east-1' is wrong;? expecting 'eu-west-1'");
    CHECK(read.region == "eu-west-1");

    const string text(5000, 'x');
    const credentials::store_error odd = credentials::read_store_error(
        "<Code>a b</Code><Region>x.evil.example/</Region><Message>" + text + "</Message>");
    CHECK(odd.code.empty());
    CHECK(odd.region.empty());
    CHECK(odd.message == text);  // it is cut when it was scrubbed
    CHECK(credentials::read_store_error("<html>no</html>").code.empty());
  }

  TEST_CASE("a time of ISO 8601") {
    const struct {
      const char* text;
      uint64_t when;  // 0: it is none
    } rows[] = {
        {"1970-01-01T00:00:01Z", 1},
        {"2016-02-25T06:03:31Z", 1456380211},
        {"2016-02-25T06:03:31.987Z", 1456380211},
        {" 2016-02-25 06:03:31Z\n", 1456380211},
        {"2016-02-25T06:03:31+00:00", 1456380211},
        {"2016-02-25T11:33:31+05:30", 1456380211},
        {"2016-02-25T11:33:31.5+0530", 1456380211},
        {"2016-02-24T22:03:31-08", 1456380211},
        {"9999-12-31T23:59:59Z", 253402300799},
        {"", 0},
        {"1456380211", 0},
        {"2016-02-25", 0},
        {"2016-02-25T06:03:31", 0},
        {"2016-02-25T06:03:31.Q", 0},
        {"2016-02-25T06:03:31.5", 0},
        {"2016-02-25T06:03:31ZZ", 0},
        {"2016-02-25T06:03:31+", 0},
        {"2016-02-25T06:03:31+24:00", 0},
        {"2016-02-25T06:03:31+05:xx", 0},
        {"2016-13-25T06:03:31Z", 0},
        {"2016-02-32T06:03:31Z", 0},
        {"2016-02-25T24:03:31Z", 0},
        {"16-02-25T06:03:31ZZZZZ", 0},
        {"1969-12-31T23:59:59Z", 0},
        {"1970-01-01T00:00:01+05:30", 0},
        {"Thu, 25 Feb 2016 06:03:31 GMT", 0},
    };

    for (const auto& one : rows) {
      CAPTURE(one.text);
      CHECK(credentials::iso_time(one.text).value_or(0) == one.when);
    }
  }

  TEST_CASE("keys are renewed five minutes before their end") {
    credentials::held_keys held;
    CHECK_FALSE(credentials::is_to_renew(held, 0));
    CHECK_FALSE(credentials::is_to_renew(held, ~uint64_t{0} / 2));
    held.expires = 1000;
    CHECK_FALSE(credentials::is_to_renew(held, 0));
    CHECK_FALSE(credentials::is_to_renew(held, 699));
    CHECK(credentials::is_to_renew(held, 700));
    CHECK(credentials::is_to_renew(held, 2000));
    held.expires = 10;
    CHECK(credentials::is_to_renew(held, 0));
  }

  TEST_CASE("the region: of the place, of the variables, of the profile, else the first") {
    const string config = "[default]\nregion=of-profile\n[profile p]\nregion=of-p";

    const struct {
      const char* place;
      variables set;
      const char* region;
    } rows[] = {
        {"s3://bkt", {}, "of-profile"},
        {"s3://bkt?region=of-place", {{"AWS_REGION", "r"}}, "of-place"},
        {"s3://bkt", {{"AWS_REGION", " r-1\n"}, {"AWS_DEFAULT_REGION", "d"}}, "r-1"},
        {"s3://bkt", {{"AWS_DEFAULT_REGION", "d"}}, "d"},
        {"s3://bkt", {{"AWS_PROFILE", "p"}}, "of-p"},
        {"s3://bkt?profile=p", {{"AWS_PROFILE", "other"}}, "of-p"},
        {"s3://bkt",
            {{"AWS_PROFILE", "q"}, {"AWS_ACCESS_KEY_ID", "a"}, {"AWS_SECRET_ACCESS_KEY", "b"}},
            "us-east-1"},
        {"s3://bkt", {{"AWS_CONFIG_FILE", "/none"}}, "us-east-1"},
        {"s3://bkt", {{"AWS_CONFIG_FILE", "/mine"}}, "of-mine"},
    };

    for (const auto& one : rows) {
      CAPTURE(one.region);
      const world here(one.set,
          {{config_file, config}, {"/mine", "[default]\nregion=of-mine"}, {keys_file, "[p]\n"}});
      const places::place at = place_of(one.place);
      result_of<credentials::store> store =
          credentials::store_of(credentials::look(at, here.around()));
      REQUIRE_MESSAGE(store.ok(), store.why().text);
      CHECK(store->region == one.region);
    }

    const world here({{"AWS_REGION", "eu west/x"}}, {});
    CHECK(strings::contains(told(look("s3://bkt", here).problem), "'eu west/x' (AWS_REGION)"));
  }

  TEST_CASE("the endpoint: whoever says it first, and that it is one") {
    const string config =
        "[default]\nendpoint_url = https://profile.example\n"
        "[profile p]\nservices = own\nendpoint_url = https://profile.example\n"
        "[services own]\ns3 =\n  endpoint_url = https://services.example\n"
        "[profile q]\nservices = none\n[profile r]\nservices = empty\nendpoint_url = https://r.r\n"
        "[services empty]\nsts =\n  endpoint_url = https://sts.example\n"
        "[profile i]\nignore_configured_endpoint_urls = true\nendpoint_url = https://r.r\n";
    const variables both = {
        {"AWS_ENDPOINT_URL_S3", "https://s3.own:8443"}, {"AWS_ENDPOINT_URL", "https://all.own"}};

    const struct {
      const char* place;
      variables set;
      const char *host, *says;  // of the host, or of the error
    } rows[] = {
        {"s3://bkt?endpoint=https://place.example", both, "place.example", ""},
        {"s3://bkt", both, "s3.own:8443", ""},
        {"s3://bkt", {{"AWS_ENDPOINT_URL", "https://ALL.own:443/"}}, "all.own", ""},
        {"s3://bkt", {}, "profile.example", ""},
        {"s3://bkt", {{"AWS_PROFILE", "p"}}, "services.example", ""},
        {"s3://bkt", {{"AWS_PROFILE", "r"}}, "r.r", ""},
        {"s3://bkt", {{"AWS_PROFILE", "i"}}, "s3.us-east-1.amazonaws.com", ""},
        {"s3://bkt",
            {{"AWS_ENDPOINT_URL", "https://a.b"}, {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"}},
            "s3.us-east-1.amazonaws.com", ""},
        {"s3://bkt?endpoint=https://c.d", {{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"}}, "c.d",
            ""},
        {"s3://bkt", {{"AWS_ENDPOINT_URL", "http://localhost:9000"}}, "localhost:9000", ""},
        {"s3://bkt?insecure=1", {{"AWS_ENDPOINT_URL", "http://store.lan:80"}}, "store.lan", ""},
        {"s3://bkt", {{"AWS_PROFILE", "q"}}, "", "names the services 'none'"},
        {"s3://bkt", {{"AWS_ENDPOINT_URL_S3", "http://store.lan"}}, "", "insecure=1"},
        {"s3://bkt", {{"AWS_ENDPOINT_URL_S3", "store.lan"}}, "", "(AWS_ENDPOINT_URL_S3) is not"},
        {"s3://bkt", {{"AWS_ENDPOINT_URL", "https://h/p"}}, "", "'https://h/p' (AWS_ENDPOINT_URL)"},
        {"s3://bkt", {{"AWS_ENDPOINT_URL", "https://k:C4n4ry@h"}}, "", "is not https://HOST"},
        {"s3://bkt", {{"AWS_ENDPOINT_URL", "k:C4n4ry@h"}}, "", "is not https://HOST"},
        {"s3://bkt", {{"AWS_ENDPOINT_URL", "https://h?token=C4n4ry"}}, "", "is not https://HOST"},
        {"s3://bkt", {{"AWS_ENDPOINT_URL", "https://h h?C4n4ry"}}, "", "is not https://HOST"},
    };

    for (const auto& one : rows) {
      CAPTURE(one.place);
      CAPTURE(one.host);
      CAPTURE(one.says);
      const world here(one.set, {{config_file, config}});
      const places::place at = place_of(one.place);
      result_of<credentials::store> store =
          credentials::store_of(credentials::look(at, here.around()));
      REQUIRE(store.ok() == (*one.says == '\0'));
      if (store.ok()) {
        CHECK(store->host == one.host);
      } else {
        CHECK_MESSAGE(strings::contains(told(store.why()), one.says), store.why().text);
      }
    }
  }

  TEST_CASE("where an object is: its URL, its Host, and the path that is signed") {
    const struct {
      const char *place, *key, *url, *host, *path;
    } rows[] = {
        {"s3://bkt", "a/b c", "https://bkt.s3.us-east-1.amazonaws.com/a/b%20c",
            "bkt.s3.us-east-1.amazonaws.com", "/a/b c"},
        {"s3://bkt", "", "https://bkt.s3.us-east-1.amazonaws.com/",
            "bkt.s3.us-east-1.amazonaws.com", "/"},
        {"s3://b.kt?region=eu-west-1", "a+b", "https://s3.eu-west-1.amazonaws.com/b.kt/a%2Bb",
            "s3.eu-west-1.amazonaws.com", "/b.kt/a+b"},
        {"s3://b.kt", "", "https://s3.us-east-1.amazonaws.com/b.kt", "s3.us-east-1.amazonaws.com",
            "/b.kt"},
        {"s3://Old_Bucket", "k", "https://s3.us-east-1.amazonaws.com/Old_Bucket/k",
            "s3.us-east-1.amazonaws.com", "/Old_Bucket/k"},
        {"s3://bkt?addressing=path", "k", "https://s3.us-east-1.amazonaws.com/bkt/k",
            "s3.us-east-1.amazonaws.com", "/bkt/k"},
        {"s3://b.kt?addressing=virtual", "k", "https://b.kt.s3.us-east-1.amazonaws.com/k",
            "b.kt.s3.us-east-1.amazonaws.com", "/k"},
        {"s3://bkt?region=cn-north-1", "k", "https://bkt.s3.cn-north-1.amazonaws.com.cn/k",
            "bkt.s3.cn-north-1.amazonaws.com.cn", "/k"},
        {"s3://bkt?region=us-gov-west-1", "k", "https://bkt.s3.us-gov-west-1.amazonaws.com/k",
            "bkt.s3.us-gov-west-1.amazonaws.com", "/k"},
        {"s3://bkt?region=eusc-de-east-1", "k", "https://bkt.s3.eusc-de-east-1.amazonaws.eu/k",
            "bkt.s3.eusc-de-east-1.amazonaws.eu", "/k"},
        {"s3://bkt?endpoint=http://127.0.0.1:9000", "a//../b", "http://127.0.0.1:9000/bkt/a//../b",
            "127.0.0.1:9000", "/bkt/a//../b"},
        {"s3://bkt?endpoint=https://Store.Example:443&addressing=virtual", "k",
            "https://bkt.store.example/k", "bkt.store.example", "/k"},
        {"s3://bkt?endpoint=https://store.example&addressing=auto", "\xc3\xbc",
            "https://store.example/bkt/%C3%BC", "store.example", "/bkt/\xc3\xbc"},
        {"s3://bkt?endpoint=https://s3.eu-west-1.amazonaws.com", "k",
            "https://bkt.s3.eu-west-1.amazonaws.com/k", "bkt.s3.eu-west-1.amazonaws.com", "/k"},
        {"s3://bkt?endpoint=https://amazonaws.com.evil.example", "k",
            "https://amazonaws.com.evil.example/bkt/k", "amazonaws.com.evil.example", "/bkt/k"},
    };

    for (const auto& one : rows) {
      CAPTURE(one.place);
      const world here;
      const places::place place = place_of(one.place);
      result_of<credentials::store> store =
          credentials::store_of(credentials::look(place, here.around()));
      REQUIRE_MESSAGE(store.ok(), store.why().text);
      const credentials::object_address at = credentials::address_of(*store, one.key);
      CHECK(at.url == one.url);
      CHECK(at.host == one.host);
      CHECK(at.path == one.path);
    }
  }

  TEST_CASE("a profile says how buckets are addressed, and the place overrules it") {
    const world here({}, {{config_file, "[default]\ns3 =\n  addressing_style = path\n"}});
    for (const char* given : {"s3://bkt", "s3://bkt?addressing=virtual"}) {
      const places::place place = place_of(given);
      result_of<credentials::store> store =
          credentials::store_of(credentials::look(place, here.around()));
      REQUIRE(store.ok());
      const bool is_path = store->where == credentials::bucket_in::path;
      CHECK(is_path == (string(given) == "s3://bkt"));
    }
  }

  TEST_CASE("another region moves the usual host alone, and keys lie below the prefix") {
    const world here;
    const places::place usual = place_of("s3://bkt/vq/models"),
                        own = place_of("s3://bkt?endpoint=https://store.example");
    result_of<credentials::store> one =
        credentials::store_of(credentials::look(usual, here.around()));
    result_of<credentials::store> other =
        credentials::store_of(credentials::look(own, here.around()));
    REQUIRE(one.ok());
    REQUIRE(other.ok());
    CHECK(credentials::in_region(*one, "cn-north-1").host == "s3.cn-north-1.amazonaws.com.cn");
    CHECK(credentials::in_region(*one, "cn-north-1").region == "cn-north-1");
    CHECK(credentials::in_region(*other, "eu-west-1").host == "store.example");
    CHECK(credentials::in_region(*other, "eu-west-1").region == "eu-west-1");
    CHECK(credentials::key_of(*one, "net/net.sha256") == "vq/models/net/net.sha256");
    CHECK(credentials::key_of(*other, "net/net.sha256") == "net/net.sha256");
  }

  TEST_CASE("keys in hand: the variables, else the profile, each file's own") {
    const variables pair = {{"AWS_ACCESS_KEY_ID", " AKV\n"}, {"AWS_SECRET_ACCESS_KEY", "C4n4ry v"}};
    const variables session = {{"AWS_ACCESS_KEY_ID", "AKV"}, {"AWS_SECRET_ACCESS_KEY", "C4n4ry"},
        {"AWS_SESSION_TOKEN", "C4n4ry.t"}};
    const string keys =
        "[default]\naws_access_key_id=AKD\naws_secret_access_key=C4n4ry\n"
        "[p]\naws_access_key_id=AKP\naws_secret_access_key=C4n4ry/p # mine\n"
        "aws_session_token=C4n4ry.p\n";
    const string config =
        "[profile p]\naws_access_key_id=no\naws_secret_access_key=no\n"
        "[profile c]\naws_access_key_id=AKC\naws_secret_access_key=C4n4ry\n"
        "aws_session_token=\n[profile n]\nregion=x\n";

    const struct {
      const char* place;
      variables set;
      const char *id, *secret, *token, *from;
    } rows[] = {
        {"s3://bkt", pair, "AKV", "C4n4ry v", "", "AWS_ACCESS_KEY_ID"},
        {"s3://bkt", session, "AKV", "C4n4ry", "C4n4ry.t", "AWS_ACCESS_KEY_ID"},
        {"s3://bkt", {}, "AKD", "C4n4ry", "", "the profile 'default' in '~/.aws/credentials'"},
        {"s3://bkt", {{"AWS_SESSION_TOKEN", "C4n4ry"}}, "AKD", "C4n4ry", "",
            "the profile 'default' in '~/.aws/credentials'"},
        {"s3://bkt", {{"AWS_PROFILE", "p"}}, "AKP", "C4n4ry/p", "C4n4ry.p",
            "the profile 'p' in '~/.aws/credentials'"},
        {"s3://bkt?profile=c", session, "AKC", "C4n4ry", "", "the profile 'c' in '~/.aws/config'"},
        {"s3://bkt", {{"AWS_PROFILE", "x"}, {"AWS_SHARED_CREDENTIALS_FILE", "/k"}}, "AKX", "C4n4ry",
            "", "the profile 'x' in '/k'"},
    };

    for (const auto& one : rows) {
      CAPTURE(one.from);
      const world here(one.set,
          {{keys_file, keys}, {config_file, config},
              {"/k", "[x]\naws_access_key_id = AKX\naws_secret_access_key = C4n4ry\n"}});
      const looked now = look(one.place, here);
      REQUIRE_MESSAGE(now.problem.ok(), now.problem.text);
      REQUIRE(now.next.keys.has_value());
      CHECK(now.next.keys->keys.id == one.id);
      CHECK(now.next.keys->keys.secret == one.secret);
      CHECK(now.next.keys->keys.token == one.token);
      CHECK(now.next.keys->from == one.from);
      CHECK_FALSE(now.next.keys->expires.has_value());
    }
  }

  TEST_CASE("what is half set, unsupported, odd or missing is told, with what to write") {
    const string keys =
        "[half]\naws_access_key_id=C4n4ry\n[other]\naws_secret_access_key=C4n4ry\n"
        "[odd]\naws_access_key_id=a\n  b=C4n4ry\naws_secret_access_key=C4n4ry\n";
    const string config =
        "[profile sso]\nsso_session=x\n[profile login]\nlogin_session=x\n[profile old]\n"
        "sso_start_url=x\n[profile program]\ncredential_process=/bin/x C4n4ry\n"
        "[profile role]\nrole_arn=arn\nsource_profile=half\n"
        "[profile wi]\nrole_arn=arn\nweb_identity_token_file=/none\n";
    const string eval = "eval \"$(aws configure export-credentials --format env)\"";

    const struct {
      const char* place;
      variables set;
      string says;
    } rows[] = {
        {"s3://bkt", {{"AWS_ACCESS_KEY_ID", "C4n4ry"}}, "AWS_SECRET_ACCESS_KEY is not"},
        {"s3://bkt", {{"AWS_SECRET_ACCESS_KEY", "C4n4ry"}}, "AWS_ACCESS_KEY_ID is not"},
        {"s3://bkt", {{"AWS_ACCESS_KEY_ID", "C4n4ry\r\nx: y"}, {"AWS_SECRET_ACCESS_KEY", "C4n4ry"}},
            "the id of the keys from AWS_ACCESS_KEY_ID"},
        {"s3://bkt", {{"AWS_ACCESS_KEY_ID", "AK/C4n4ry"}, {"AWS_SECRET_ACCESS_KEY", "C4n4ry"}},
            "the id of the keys"},
        {"s3://bkt", {{"AWS_ACCESS_KEY_ID", "AK"}, {"AWS_SECRET_ACCESS_KEY", "C4n4ry\nx"}},
            "the secret of the keys"},
        {"s3://bkt",
            {{"AWS_ACCESS_KEY_ID", "AK"}, {"AWS_SECRET_ACCESS_KEY", "C4n4ry"},
                {"AWS_SESSION_TOKEN", "C4n4ry t"}},
            "the token of the keys"},
        {"s3://bkt", {{"AWS_WEB_IDENTITY_TOKEN_FILE", "/t"}}, "AWS_ROLE_ARN is not"},
        {"s3://bkt", {{"AWS_WEB_IDENTITY_TOKEN_FILE", "/none"}, {"AWS_ROLE_ARN", "arn"}},
            "read from '/none' (AWS_WEB_IDENTITY_TOKEN_FILE)"},
        {"s3://bkt?profile=wi", {}, "read from '/none' (the profile 'wi')"},
        {"s3://bkt?profile=half", {}, "has no aws_secret_access_key"},
        {"s3://bkt?profile=other", {}, "'~/.aws/credentials' has no aws_access_key_id"},
        {"s3://bkt?profile=odd", {}, "the id of the keys from the profile 'odd'"},
        {"s3://bkt?profile=nope", {}, "the profile 'nope' (profile=) stands neither in"},
        {"s3://bkt", {{"AWS_PROFILE", "nope"}}, "the profile 'nope' (AWS_PROFILE)"},
        {"s3://bkt", {{"AWS_PROFILE", "sso"}}, eval},
        {"s3://bkt", {{"AWS_PROFILE", "login"}}, eval},
        {"s3://bkt", {{"AWS_PROFILE", "old"}}, eval},
        {"s3://bkt", {{"AWS_PROFILE", "program"}}, eval},
        {"s3://bkt", {{"AWS_PROFILE", "role"}}, eval},
        {"s3://bkt?profile=sso", {},
            "--format env --profile sso)\" before, and leave out profile="},
        {"s3://bkt", {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@C4n4ry.example"}},
            "RELATIVE_URI does not begin with /"},
        {"s3://bkt", {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/a b"}}, "is no URL"},
        {"s3://bkt", {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "C4n4ry"}}, "FULL_URI is no URL"},
        {"s3://bkt", {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://evil.example/C4n4ry"}},
            "leads to 'evil.example'"},
        {"s3://bkt", {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.3/"}}, "leads to"},
        {"s3://bkt", {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "ftp://127.0.0.1/"}}, "leads to"},
        {"s3://bkt", {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "https://u:C4n4ry@h/"}}, "leads to"},
        {"s3://bkt",
            {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "https://h/"},
                {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/none"}},
            "cannot be read from '/none'"},
        {"s3://bkt",
            {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "https://h/"},
                {"AWS_CONTAINER_AUTHORIZATION_TOKEN", "C4n4ry\r\nx: y"}},
            "a line end"},
        {"s3://bkt", {{"AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://evil.example"}},
            "AWS_EC2_METADATA_SERVICE_ENDPOINT is not"},
    };

    for (const auto& one : rows) {
      CAPTURE(one.says);
      const world here(one.set, {{keys_file, keys}, {config_file, config}, {"/t", "C4n4ry"}});
      const looked now = look(one.place, here);
      CHECK_MESSAGE(strings::contains(told(now.problem), one.says), now.problem.text);
      CHECK(now.problem.code == errc::invalid_argument);
    }
  }

  TEST_CASE("where nothing is found, what was looked for is told, and nothing is anonymous") {
    const struct {
      const char* place;
      variables set;
      std::vector<string> says;
    } rows[] = {
        {"s3://bkt", {{"AWS_EC2_METADATA_DISABLED", "true"}},
            {"no keys for the bucket 'bkt'", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE",
                "the profile 'default' stands neither in '~/.aws/credentials' (not there, or",
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_EC2_METADATA_DISABLED is set",
                "is set; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write"}},
        {"s3://bkt?endpoint=https://store.example", {{"AWS_ROLE_ARN", "arn"}},
            {"for Amazon's own stores alone"}},
        {"s3://bkt?endpoint=https://store.example&profile=n", {{"AWS_ACCESS_KEY_ID", "C4n4ry"}},
            {"profile= is given", "the profile 'n' has no keys in", "line 3 of '~/.aws/config'"}},
    };

    for (const auto& one : rows) {
      const world here(one.set, {{config_file, "[profile n]\nregion = x\nC4n4ry : C4n4ry\n"}});
      const looked now = look(one.place, here);
      const string text = told(now.problem);
      for (const string& part : one.says) {
        CHECK_MESSAGE(strings::contains(text, part), text);
      }
    }
  }

  TEST_CASE("a web identity: one question to STS, and its answer") {
    const variables set = {{"AWS_WEB_IDENTITY_TOKEN_FILE", "/t"},
        {"AWS_ROLE_ARN", "arn:aws:iam::1:role/r"}, {"AWS_REGION", "eu-west-1"}};
    const files there = {
        {"/t", "C4n4ry+t\n"}, {keys_file, string("[default]\n") + good_keys}};  // comes after it
    const world here(set, there);
    const looked now = look("s3://bkt", here);
    REQUIRE_MESSAGE(now.problem.ok(), now.problem.text);
    REQUIRE_FALSE(now.next.keys.has_value());
    const credentials::question& asked = now.next.ask;
    CHECK(asked.what == asks::web_identity);
    CHECK(asked.method == "POST");
    CHECK(asked.url == "https://sts.eu-west-1.amazonaws.com/");
    CHECK(asked.body
        == "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&"
           "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=vqcache&"
           "WebIdentityToken=C4n4ry%2Bt");
    CHECK_FALSE(asked.is_direct);

    const string good =
        "<AssumeRoleWithWebIdentityResponse xmlns=\"x\"><AssumeRoleWithWebIdentityResult>"
        "<SubjectFromWebIdentityToken>s</SubjectFromWebIdentityToken><Credentials><SessionToken>"
        "C4n4ry&amp;t</SessionToken><SecretAccessKey>C4n4ry</SecretAccessKey><Expiration>"
        "2016-02-25T06:03:31Z</Expiration><AccessKeyId>ASIA2</AccessKeyId></Credentials>";
    result_of<credentials::step> done = credentials::follow(asked, 200, good);
    REQUIRE_MESSAGE(done.ok(), done.why().text);
    REQUIRE(done->keys.has_value());
    CHECK(done->keys->keys.id == "ASIA2");
    CHECK(done->keys->keys.secret == "C4n4ry");
    CHECK(done->keys->keys.token == "C4n4ry&t");
    CHECK(done->keys->expires.value_or(0) == 1456380211);

    const struct {
      int code;
      string body, says;
    } rows[] = {
        {400, "<ErrorResponse><Error><Code>ExpiredTokenException</Code><Message>C4n4ry+t",
            "HTTP 400, ExpiredTokenException; check the role"},
        {403, "<Code>C4n4ry</Code>", "HTTP 403; check"},  // a part of what was sent
        {200, "<html>C4n4ry</html>", "HTTP 200; check"},
        {200, "<AccessKeyId>A</AccessKeyId>C4n4ry", "has given no keys"},
        {200,
            "<AccessKeyId>A</AccessKeyId><SecretAccessKey>C4n4ry</SecretAccessKey><Expiration>"
            "C4n4ry</Expiration>",
            "tells no time"},
        {200, "<AccessKeyId>A\r\nC4n4ry: x</AccessKeyId><SecretAccessKey>C4n4ry</SecretAccessKey>",
            "the id of the keys"},
        {0, "", "nobody answers at https://sts.eu-west-1.amazonaws.com/"},
    };

    for (const auto& one : rows) {
      CAPTURE(one.says);
      result_of<credentials::step> no = credentials::follow(asked, one.code, one.body);
      CHECK_MESSAGE(strings::contains(told(no.why()), one.says), no.why().text);
      CHECK(no.why().code == (one.code == 0 ? errc::connection : errc::http_status));
    }
  }

  TEST_CASE("who is asked for a web identity's keys") {
    const struct {
      const char* place;
      variables set;
      const char *url, *session;
    } rows[] = {
        {"s3://bkt?region=cn-north-1", {}, "https://sts.cn-north-1.amazonaws.com.cn/", "vqcache"},
        {"s3://bkt?endpoint=https://store.example", {}, "https://sts.us-east-1.amazonaws.com/",
            "vqcache"},
        {"s3://bkt", {{"AWS_ENDPOINT_URL", "https://all.own"}, {"AWS_ROLE_SESSION_NAME", "me"}},
            "https://all.own/", "me"},
        {"s3://bkt",
            {{"AWS_ENDPOINT_URL_STS", "https://sts.own"}, {"AWS_ENDPOINT_URL", "https://all.own"}},
            "https://sts.own/", "vqcache"},
        {"s3://bkt?profile=wi", {}, "https://sts.us-east-1.amazonaws.com/", "of-profile"},
    };

    for (const auto& one : rows) {
      variables set = one.set;
      set["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/t";
      set["AWS_ROLE_ARN"] = "arn";
      const world here(set,
          {{"/t", "C4n4ry"},
              {config_file,
                  "[profile "
                  "wi]\nrole_arn=a\nweb_identity_token_file=/t\nrole_session_name=of-profile\n"}});
      const looked now = look(one.place, here);
      REQUIRE_MESSAGE(now.problem.ok(), now.problem.text);
      CHECK(now.next.ask.url == one.url);
      CHECK(strings::contains(now.next.ask.body, join({"RoleSessionName=", one.session, "&"})));
    }
    const world plain({{"AWS_WEB_IDENTITY_TOKEN_FILE", "/t"}, {"AWS_ROLE_ARN", "arn"},
                          {"AWS_ENDPOINT_URL_STS", "http://sts.lan"}},
        {{"/t", "C4n4ry"}});
    CHECK(strings::contains(told(look("s3://bkt", plain).problem), "speaks plain http"));
  }

  TEST_CASE("a container's endpoint: which addresses, with which token, and its answer") {
    const variables token = {{"AWS_CONTAINER_AUTHORIZATION_TOKEN", "C4n4ry"}};

    const struct {
      string uri;
      const char *url, *token;
      bool is_direct;
    } rows[] = {
        {"/v2/C4n4ry", "http://169.254.170.2/v2/C4n4ry", "", true},
        {"http://127.0.0.1:51679/x?y=z", "http://127.0.0.1:51679/x?y=z", "of-variable", true},
        {"http://localhost/x", "http://localhost/x", "of-file", true},
        {"http://[::1]:1/x", "http://[::1]:1/x", "of-file", true},
        {"http://169.254.170.23/v1/credentials", "http://169.254.170.23/v1/credentials", "", true},
        {"http://[FD00:ec2::23]/v1", "http://[FD00:ec2::23]/v1", "", true},
        {"https://keys.example/x", "https://keys.example/x", "", false},
    };

    for (const auto& one : rows) {
      CAPTURE(one.uri);
      variables set;
      const char* const name = one.uri[0] == '/' ? "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
                                                 : "AWS_CONTAINER_CREDENTIALS_FULL_URI";
      set[name] = one.uri;
      if (*one.token != '\0') set["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "of-variable";
      if (string(one.token) == "of-file") set["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = "/t";
      const world here(set, {{"/t", "of-file\n"}});
      const looked now = look("s3://bkt?endpoint=https://store.example", here);
      REQUIRE_MESSAGE(now.problem.ok(), now.problem.text);
      const credentials::question& asked = now.next.ask;
      CHECK(asked.what == asks::container);
      CHECK(asked.method == "GET");
      CHECK(asked.url == one.url);
      CHECK(asked.is_direct == one.is_direct);
      CHECK(asked.seconds == 2);
      CHECK(has_header(asked, join({"Authorization: ", one.token})) == (*one.token != '\0'));

      result_of<credentials::step> done = credentials::follow(asked, 200, json_keys);
      REQUIRE_MESSAGE(done.ok(), done.why().text);
      CHECK(done->keys->keys.secret == "C4n4ry/s");
      CHECK(done->keys->keys.token == "C4n4ry.t");
      CHECK(done->keys->expires.value_or(0) == 1796026500);
    }

    const world here({{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/C4n4ry"}, *token.begin()}, {});
    const credentials::question asked = look("s3://bkt", here).next.ask;

    const struct {
      int code;
      const char *body, *says;
    } answers[] = {
        {404, R"({"code":"NoRole","message":"C4n4ry"})", "HTTP 404, NoRole"},
        {500, R"({"code":"C4n4ry"})", "HTTP 500; check"},
        {500, "C4n4ry", "HTTP 500; check"},
        {200, "C4n4ry", "no JSON object"},
        {200, R"({"AccessKeyId":"C4n4ry"})", "has given no keys"},
        {200, R"({"AccessKeyId":"A","SecretAccessKey":"C4n4ry","Expiration":"C4n4ry"})", "no time"},
        {200, R"({"AccessKeyId":"A","SecretAccessKey":"C4n4ry","Token":"C4n4ry\r\n"})",
            "the token of the keys"},
        {0, "",
            "the container's endpoint (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI), "
            "'169.254.170.2', does not answer"},
    };

    for (const auto& one : answers) {
      CAPTURE(one.says);
      result_of<credentials::step> no = credentials::follow(asked, one.code, one.body);
      CHECK_MESSAGE(strings::contains(told(no.why()), one.says), no.why().text);
    }
  }

  TEST_CASE("an instance: a token, a role, its keys, once and within a second each") {
    const world here;
    looked now = look("s3://bkt", here);
    REQUIRE_MESSAGE(now.problem.ok(), now.problem.text);
    CHECK(now.next.ask.what == asks::instance_token);
    CHECK(now.next.ask.method == "PUT");
    CHECK(now.next.ask.url == "http://169.254.169.254/latest/api/token");
    CHECK(has_header(now.next.ask, "X-aws-ec2-metadata-token-ttl-seconds: 21600"));

    result_of<credentials::step> role = credentials::follow(now.next.ask, 200, "C4n4ry==");
    REQUIRE_MESSAGE(role.ok(), role.why().text);
    CHECK(role->ask.what == asks::instance_role);
    CHECK(role->ask.method == "GET");
    CHECK(role->ask.url == "http://169.254.169.254/latest/meta-data/iam/security-credentials/");
    CHECK(has_header(role->ask, "X-aws-ec2-metadata-token: C4n4ry=="));
    CHECK(role->ask.headers.size() == 1);

    result_of<credentials::step> keys = credentials::follow(role->ask, 200, "my+role\n");
    REQUIRE_MESSAGE(keys.ok(), keys.why().text);
    CHECK(keys->ask.what == asks::instance_keys);
    CHECK(strings::ends_with(keys->ask.url, "/iam/security-credentials/my%2Brole"));
    CHECK(has_header(keys->ask, "X-aws-ec2-metadata-token: C4n4ry=="));
    for (const credentials::question* one : {&now.next.ask, &role->ask, &keys->ask}) {
      CHECK(one->seconds == 1);
      CHECK(one->tries == 1);
      CHECK(one->is_direct);
    }

    result_of<credentials::step> done = credentials::follow(keys->ask, 200, json_keys);
    REQUIRE_MESSAGE(done.ok(), done.why().text);
    CHECK(done->keys->keys.id == "ASIA1");
    CHECK(done->keys->from == "the metadata of this machine");

    const struct {
      const credentials::question& asked;
      int code;
      const char *body, *says;
    } rows[] = {
        {now.next.ask, 0, "", "this machine's metadata do not answer"},
        {now.next.ask, 404, "C4n4ry", "no keys for the bucket 'bkt' were found"},
        {now.next.ask, 200, "", "has given no keys"},
        {now.next.ask, 200, "C4n4ry\r\nx: y", "has given no keys"},
        {role->ask, 404, "C4n4ry", "no keys for the bucket 'bkt' were found"},
        {role->ask, 200, "../C4n4ry", "has given no keys"},
        {role->ask, 200, "<html>C4n4ry", "has given no keys"},
        {keys->ask, 200, R"({"Code":"AssumeRoleUnauthorizedAccess","Message":"C4n4ry"})",
            "AssumeRoleUnauthorizedAccess"},
        {keys->ask, 403, "C4n4ry", "HTTP 403"},
    };

    for (const auto& one : rows) {
      CAPTURE(one.says);
      result_of<credentials::step> no = credentials::follow(one.asked, one.code, one.body);
      CHECK_MESSAGE(strings::contains(told(no.why()), one.says), no.why().text);
    }

    const world elsewhere({{"AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1338/"}}, {});
    CHECK(look("s3://bkt", elsewhere).next.ask.url == "http://127.0.0.1:1338/latest/api/token");
  }

  TEST_CASE("the order: who is first with anything to say decides") {
    struct one_more {
      variables set;
      files there;
    };

    // from the last to the first: each outweighs all before it
    const one_more rows[] = {
        {{}, {}},
        {{{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/f"}}, {}},
        {{{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/r"}}, {}},
        {{}, {{config_file, string("[default]\n") + good_keys}}},
        {{}, {{keys_file, string("[default]\n") + good_keys}}},
        {{{"AWS_WEB_IDENTITY_TOKEN_FILE", "/t"}, {"AWS_ROLE_ARN", "arn"}}, {{"/t", "C4n4ry"}}},
        {{{"AWS_ACCESS_KEY_ID", "AK"}, {"AWS_SECRET_ACCESS_KEY", "C4n4ry"}}, {}},
    };
    const char* const want[] = {"the metadata of this machine",
        "the container's endpoint (AWS_CONTAINER_CREDENTIALS_FULL_URI)",
        "the container's endpoint (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI)",
        "the profile 'default' in '~/.aws/config'", "the profile 'default' in '~/.aws/credentials'",
        "the web identity (AWS_WEB_IDENTITY_TOKEN_FILE)", "AWS_ACCESS_KEY_ID"};

    variables set;
    files there;
    for (size_t at = 0; at < std::size(rows); ++at) {
      CAPTURE(want[at]);
      set.insert(rows[at].set.begin(), rows[at].set.end());
      there.insert(rows[at].there.begin(), rows[at].there.end());
      const world here(set, there);
      const looked now = look("s3://bkt", here);
      REQUIRE_MESSAGE(now.problem.ok(), now.problem.text);
      CHECK((now.next.keys ? now.next.keys->from : now.next.ask.from) == want[at]);
    }

    const world here(set, there);  // the place's own profile outweighs the variables
    CHECK(look("s3://bkt?profile=default", here).next.keys->from
        == "the profile 'default' in '~/.aws/credentials'");
  }

  TEST_CASE("this machine's variables and files are read, links and home too") {
    const credentials::surroundings here = credentials::of_this_machine();
    CHECK(here.variable("VQCACHE_NO_SUCH_VARIABLE").empty());
    CHECK_FALSE(here.text("/no/such/file").has_value());
    CHECK_FALSE(here.text("~/no-such-file-of-vqcache").has_value());
    CHECK(here.text(string(VQCACHE_TEST_DIR) + "/unit/credentials.cpp").has_value());
  }
}
