// Lists of stores: XML that is anybody's, and of which names alone are taken.
#include "vqcache.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace {

namespace credentials = vqcache::detail::credentials;
namespace places = vqcache::detail::places;
namespace tier = vqcache::detail::tier;
using std::string;
using names = std::vector<string>;

names bucket(const string& xml, const string& prefix = "vq/") {
  const credentials::list_page page = credentials::read_bucket_list(xml, prefix);
  return names(page.texts.begin(), page.texts.end());
}

names folder(const string& xml) {
  const credentials::list_page page = credentials::read_folder_list(xml);
  return names(page.texts.begin(), page.texts.end());
}

names told(const credentials::list_rows& read) {  // "NAME ID at SECONDS"
  names all;
  for (const credentials::list_row& one : read.all) {
    string line = one.name;
    if (!one.id.empty()) line += " " + one.id;
    if (one.when) line += " at " + std::to_string(*one.when);
    all.push_back(line);
  }
  return all;
}

string group(const string& key) {
  return "<CommonPrefixes><Prefix>" + key + "</Prefix></CommonPrefixes>";
}

string response(const string& href) {
  return "<D:response><D:href>" + href + "</D:href></D:response>";
}

struct row {
  const char* what;
  string xml;
  names read;
};

}  // namespace

TEST_SUITE("store lists") {
  TEST_CASE("a download is followed where it takes longer than the upload could be late") {
    const struct {
      std::uint64_t come;
      double seconds;
      std::uint64_t left;
      bool pays;
    } rows[] = {{0, 0, 1000, false}, {0, 9, 1000, false},
        {100, 0.01, 1'000'000, false},  // too early to tell
        {100, 1, 199, false}, {100, 1, 201, true}, {100, 0.1, 2100, true}, {100, 0.1, 1900, false},
        {100, 1, 0, false}, {1, 100, 1, true}};

    for (const auto& one : rows) {
      CAPTURE(one.come);
      CAPTURE(one.left);
      CHECK(vqcache::detail::objects::pays_to_follow(one.come, one.seconds, one.left) == one.pays);
    }
  }

  TEST_CASE("of a bucket's list the folders below the prefix are taken") {
    const row rows[] = {
        {"nothing", "", {}},
        {"two", "<ListBucketResult>" + group("vq/a/") + "\n  " + group("vq/b/"), {"a", "b"}},
        {"entities", group("vq/a&amp;b&#x20;c/"), {"a&b c"}},
        {"another prefix", group("other/a/") + group("vq/") + group("vq") + group("vq//"), {}},
        {"an object", "<Contents><Key>vq/a/</Key></Contents>", {}},
        {"the prefix that was asked for", "<Prefix>vq/a/</Prefix>", {}},
        {"in a comment", "<!-- " + group("vq/a/") + " -->", {}},
        {"in CDATA", "<CommonPrefixes><Prefix><![CDATA[vq/a/]]></Prefix></CommonPrefixes>", {}},
        {"cut", "<CommonPrefixes><Prefix>vq/a/</Pref", {}},
        {"a bomb",
            "<!DOCTYPE x [<!ENTITY a \"&b;&b;\"><!ENTITY b \"vq/\">]>" + group("&a;&a;")
                + group("vq/c/"),
            {"c"}},
        {"nested", group("vq/<b>a</b>/"), {}},
        {"UTF-16", string("\xff\xfe<\0C\0o\0m\0", 10), {}},
        {"attributes", "<CommonPrefixes a='1'><Prefix b=\"2\">vq/a/</Prefix></CommonPrefixes>",
            {"a"}},
    };
    for (const row& one : rows) {
      CAPTURE(one.what);
      CHECK(bucket(one.xml) == one.read);
    }
    CHECK(bucket(group("a/"), "") == names{"a"});
  }

  TEST_CASE("a bucket's list tells where it goes on, and whether it is one") {
    const auto read = [](const string& xml) {
      return credentials::read_bucket_list(xml, "");
    };
    CHECK(read("<ListBucketResult><NextContinuationToken>a&amp;b</NextContinuationToken>").next
        == "a&b");
    CHECK(read("<ListBucketResult></ListBucketResult>").is_list);
    CHECK(read("<s3:ListBucketResult xmlns:s3='x'></s3:ListBucketResult>").is_list);
    CHECK_FALSE(read("<html><title>Sign in</title></html>").is_list);
    CHECK_FALSE(read("<Error><Code>AccessDenied</Code></Error>").is_list);
    CHECK_FALSE(read("").is_list);
  }

  TEST_CASE("of a WebDAV server's list the last parts of addresses are taken") {
    const row rows[] = {
        {"paths", response("/dav/vq/") + response("/dav/vq/a%20b/") + response("/dav/vq/c"),
            {"vq", "a b", "c"}},
        {"whole", response("https://host:8/dav/a/?x=1#y"), {"a"}},
        {"relative", response("a/") + response("./b"), {"a", "b"}},
        {"blanks", response("\r\n  /dav/a/ \n"), {"a"}},
        {"other prefixes",
            "<response><href>/a</href></response><lp1:response><lp1:href>/b</lp1:href>"
            "</lp1:response>",
            {"a", "b"}},
        {"of a lock", "<D:response><D:lockroot><D:href>/x</D:href></D:lockroot></D:response>", {}},
        {"two of one response", "<D:response><D:href>/a</D:href><D:href>/b</D:href></D:response>",
            {"a"}},
        {"odd percents", response("/%zz%4/%41%2"), {"A%2"}},
        {"a slash in a name", response("/a%2Fb"), {"a/b"}},
        {"empty", response("") + response("///"), {"", ""}},
    };
    for (const row& one : rows) {
      CAPTURE(one.what);
      CHECK(folder(one.xml) == one.read);
    }
  }

  TEST_CASE("a huge list ends at its limit, and what is nested deep takes no stack") {
    string xml = "<multistatus>";
    for (int i = 0; i < 120000; ++i)
      xml += "<response><href>/a</href></response>";
    CHECK(folder(xml).size() == credentials::most_listed);

    string deep;
    for (int i = 0; i < 500000; ++i)
      deep += "<a>";
    CHECK(folder(deep).empty());
    CHECK(bucket(deep).empty());
  }

  TEST_CASE("of a list that has dates the rows are taken, and where it goes on") {
    const struct {
      const char* what;
      const credentials::list_words& words;
      const char* text;
      names rows;  // "NAME ID at SECONDS", of what is told
      const char *next, *next_id;
    } lists[] = {
        {"objects", credentials::of_objects,
            "<?xml version='1.0'?><ListBucketResult><Prefix>vq/m/.</Prefix>"
            "<Contents><Key>vq/m/.m.lease.1</Key><LastModified>1970-01-02T00:00:00.000Z"
            "</LastModified><Owner><ID>x</ID></Owner></Contents><Contents><Key>a&amp;b</Key>"
            "</Contents><NextContinuationToken>t&lt;</NextContinuationToken></ListBucketResult>",
            {"vq/m/.m.lease.1 at 86400", "a&b"}, "t<", ""},
        {"uploads", credentials::of_uploads,
            "<ListMultipartUploadsResult><KeyMarker>k</KeyMarker><Upload><Key>a</Key><UploadId>1"
            "</UploadId><Initiated>1970-01-01T00:00:09Z</Initiated></Upload><Upload><Key>b</Key>"
            "<UploadId>2</UploadId></Upload><NextKeyMarker>b</NextKeyMarker>"
            "<NextUploadIdMarker>2</NextUploadIdMarker></ListMultipartUploadsResult>",
            {"a 1 at 9", "b 2"}, "b", "2"},
        {"a folder", credentials::of_folder,
            "<D:multistatus><D:response><D:href>/m/</D:href></D:response><D:response>"
            "<D:href>/m/.m.lease.1</D:href><D:propstat><D:prop><lp1:getlastmodified>Fri, 02 Jan "
            "1970 00:00:00 GMT</lp1:getlastmodified><D:lockdiscovery><D:href>x</D:href>"
            "</D:lockdiscovery></D:prop></D:propstat></D:response></D:multistatus>",
            {"/m/", "/m/.m.lease.1 at 86400"}, "", ""},
    };

    for (const auto& one : lists) {
      CAPTURE(one.what);
      const credentials::list_rows read = credentials::read_rows(one.text, one.words);
      CHECK(read.is_list);
      CHECK(told(read) == one.rows);
      CHECK(read.next == one.next);
      CHECK(read.next_id == one.next_id);
    }

    CHECK_FALSE(
        credentials::read_rows("<html><p>Sign in</p></html>", credentials::of_folder).is_list);
    CHECK(credentials::read_rows("<LastModified>x</LastModified>", credentials::of_objects)
            .all.empty());
  }

  TEST_CASE("what of a list is a leftover, and of which age it goes") {
    struct entry {
      string name;
      int age;  // seconds; -1: it is not told
    };

    struct case_of {
      const char* what;
      std::vector<entry> there;
      std::uint64_t least;
      names go;
    };

    const int old = 86400, young = 86399;
    const string part = ".m.ckpt.0123456789abcdef.part", lease = ".m.lease.2";
    const string of_receipt = ".m.sha256.0123456789abcdef.part";
    const string of_lease = ".m.lease.2.0123456789abcdef.part";
    const case_of rows[] = {
        {"nothing", {}, 86400, {}},
        {"files", {{"m.ckpt", old}, {"m.sha256", old}, {"m", old}, {"", old}}, 86400, {}},
        {"old partials", {{part, old}, {of_receipt, old}, {of_lease, old}}, 86400,
            {part, of_receipt, of_lease}},
        {"young ones", {{part, young}, {of_receipt, 0}, {of_lease, young}}, 86400, {}},
        {"of no age that is told", {{part, -1}, {lease, -1}}, 86400, {}},
        {"all, of whatever age", {{part, -1}, {of_lease, 0}, {lease, young}}, 0,
            {part, of_lease, lease}},
        {"another's", {{".x.ckpt.0123456789abcdef.part", old}, {".x.lease.1", old}}, 0, {}},
        {"nearly",
            {{".m.ckpt.0123456789abcde.part", old}, {".m.ckpt.part", old},
                {"m.ckpt.0123456789abcdef.part", old}, {".m.ckpt.0123456789abcdef.record", old},
                {".m.lease.02", old}, {".m.lease.x", old}},
            0, {}},
        {"leases, the newest first", {{".m.lease.9", old}, {".m.lease.10", old}}, 86400,
            {".m.lease.10", ".m.lease.9"}},
        {"leases below a living one stay", {{".m.lease.1", old}, {lease, young}}, 86400, {}},
        {"a young one below old ones", {{".m.lease.1", young}, {lease, old}}, 86400, {lease}},
    };
    for (const case_of& one : rows) {
      CAPTURE(one.what);
      vqcache::detail::list<places::listed> there;
      for (const entry& each : one.there) {
        places::listed file{each.name, {}};
        if (each.age >= 0) file.age = static_cast<std::uint64_t>(each.age);
        there.push_back(file);
      }
      const auto is_ours = [](const string& file) {
        return file == "m.ckpt" || file == "m.sha256";
      };
      const auto go = tier::removable(there, "m", is_ours, one.least);
      CHECK(names(go.begin(), go.end()) == one.go);
    }
  }

  TEST_CASE("what a killed doctor has left") {
    vqcache::detail::list<places::listed> there;
    const string ours = ".vqcache-doctor-0123456789abcdef";
    for (const string& name : {ours, ours + "0", string(".vqcache-doctor-"),
             string(".vqcache-doctor-0123456789abcdeg"), string("m"), string()})
      there.push_back({name, std::uint64_t{86400}});
    auto go = tier::removable_probes(there, 86400);
    CHECK(names(go.begin(), go.end()) == names{ours});
    there[0].age = std::uint64_t{86399};
    CHECK(tier::removable_probes(there, 86400).empty());
  }
}
