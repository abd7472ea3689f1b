// ==== >>manual ==== vqcache.hpp: a model on the fast local disk, and a copy on the disk that stays
//
// Brings a model (a config and a checkpoint) to a fast local disk, and keeps a copy on a slow disk
// that stays. When the local disk was wiped, or the origin has vanished from the web, the copy
// serves. Copy this file into your project: C++17, nothing to link, no macro to set.
// Version 0.2.0. SPDX-License-Identifier: MIT (what that says is at the end of the file)
//
//     #include <iostream>
//     #include "vqcache.hpp"
//     int main() try {
//       std::cout << vqcache::download_vqgan_model("vqgan_imagenet_f16_16384").checkpoint << '\n';
//     } catch (const vqcache::error& e) {
//       std::cerr << e.what() << '\n';
//       return 1;
//     }
//
// Under a final name is the whole and right file or nothing, after any error, signal, kill or power
// cut. A checkpoint is a pickle: loading a wrong one runs a stranger's program. Pin it (chapter 4).
//
//    1 first calls            7 limits                    13 security
//    2 files on disk          8 environment variables     14 upkeep
//    3 what a call does       9 macros                    15 what it does not do
//    4 sources and pins      10 threads and signals       16 changes
//    5 options               11 notebooks
//    6 errors                12 transports
//
// The gate of the project compiles each program here and holds each table to the code.
//
// ---- 1 first calls ------------------------------------------------------------------------------
//
// Any model, by its URLs, with a copy on a disk of your choice and a line that shows the progress:
//
//     #include "vqcache.hpp"
//
//     vqcache::model my_model() {
//       vqcache::options o;
//       o.cache_dir = "~/persistent/models";
//       o.on_progress = vqcache::progress_line();
//       return vqcache::download_vqgan_model(
//           "my_model", "https://example.org/my.yaml", "https://example.org/my.ckpt", o);
//     }
//
// The model that comes back:
//
//   name                 the name of its files; an alias of a listed model is resolved
//   config, checkpoint   absolute paths of the local files
//   from                 origin::local: nothing was brought. cache: all that was missing came from
//                        the cache. network: at least one file came from a source, be it a path
//   cached               the copy in the cache is complete
//   files                the local files of any set, absolute, in the order of the call
//
// Printed to a stream it is its name. On older systems link with -pthread -ldl.
//
// Other models have other files, and any number of them. They are brought, copied, restored and
// removed as one:
//
//     vqcache::model my_network() {
//       return vqcache::download_model("net",
//           {{"config.json", "https://example.org/config.json"},
//               {"onnx/model.onnx", "https://example.org/model.onnx"},
//               {"onnx/model.onnx_data", "https://example.org/model.onnx_data"}});
//     }
//
// download_file("clip.pt", URL) is a set of one file. restore_model("net") takes what the receipts
// of earlier calls name, and downloads nothing. Files that a call does not ask for stay in the set.
// An application that keeps its models in one place, its user's cache folder:
//
//     vqcache::model for_my_app() {
//       return vqcache::download_file(
//           "clip.pt", "https://example.org/clip.pt", vqcache::user_options("my_app"));
//     }
//
// A name alone is looked for in both directories, and then in the catalogue that this file carries,
// known_models(). What is listed there has URLs, and a pin where a public source tells a digest.
// None of these URLs was tried for this version.
//
// Without exceptions, or where an error is expected, the try_ form gives it back:
//
//     const vqcache::result got = vqcache::try_download_vqgan_model("vqgan_gumbel_f8_8192");
//     if (!got && got.error.code() == vqcache::errc::no_space) std::puts(got.error.what());
//
// A model stays until a person removes it, from both directories:
//
//     const vqcache::error problem = vqcache::try_remove("my_model");
//     if (problem.code()) std::puts(problem.what());
//
// remove() is the same and throws. A model that is not there is no error. A compiler warns where
// what a try_ form gives back is not looked at.
//
// ---- 2 files on disk ----------------------------------------------------------------------------
//
// LOCAL is options::local_dir and CACHE is options::cache_dir, or what chapter 8 says.
//
//   LOCAL/NAME.yaml   LOCAL/NAME.ckpt   LOCAL/NAME.sha256
//   CACHE/NAME/NAME.yaml   CACHE/NAME/NAME.ckpt   CACHE/NAME/NAME.sha256
//
// Another set lies in a folder of its own, and a file that is called like its set does not:
//
//   LOCAL/NAME/FILE   LOCAL/NAME.sha256   CACHE/NAME/FILE   CACHE/NAME/NAME.sha256
//   LOCAL/NAME        LOCAL/NAME.sha256   CACHE/NAME/NAME   CACHE/NAME/NAME.sha256
//
// No set takes a path that another one owns: errc::name_taken.
//
// NAME.sha256 is the receipt. It is written last. GNU sha256sum can check it, in a shell:
//
//     (cd content/cache/models/NAME && sha256sum -c NAME.sha256)
//
// Its lines are "DIGEST  FILE", and facts that sha256sum skips:
//
//   # vqcache VERSION DATE     who wrote it, and when (UTC)
//   # size BYTES FILE
//   # origin URL FILE          what served it: no user info, and of a query what names a file
//   # address DIGEST FILE      of that URL: 16 hex digits, which tell it from others
//   # etag TAG FILE            as its server told it
//   # declared SHA256 HOST HEADER FILE
//                              its server declared this digest itself (chapter 4), and it held
//   # unverified FILE          nothing vouches for these bytes: see chapter 4
//   # blocks xxh64 8388608 FIRST SUM SUM ... FILE
//                              of each block of 8 MiB, from number FIRST on: its XXH64, 16 digits.
//                              They only tell repair_model() what to fetch; the DIGEST decides
//
// Beside a file, called FILE here, there may be:
//
//   .FILE.X.part      it is not finished; X is 16 hex digits
//   .FILE.X.record    who writes that, the SHA-256 of its URL, its pin, validator or declared
//                     digest, and what of it has not come; a later call continues by it
//   FILE.corrupt-X    8 hex digits: a file that was found damaged. One is kept, and gets its name
//                     again if it turns out to be right
//   LOCAL/.NAME.lock  empty. It saves a second download by another call, and nothing rests on it
//
// Directories that are missing are made, unless create_dirs is false. Files get the rights that the
// umask leaves. A file that is a symbolic link is read in LOCAL. In CACHE it counts as missing, and
// storing puts a file in its place.
//
// ---- 3 what a call does -------------------------------------------------------------------------
//
// 1. Name, options and sources are checked. What is malformed is an error before anything is read.
// 2. Names, sizes and receipts of both directories are looked at. If both local files have the
//    sizes that their receipt tells, and it tells the pin that is given, if one is, the call is a
//    hit: nothing is hashed or sent. The copy is looked at in the same way.
// 3. Else the call takes the lock, or waits for who has it: as long as that one's bytes grow, and
//    stall_seconds after that.
// 4. A file of which only the digest can tell whether it is right is hashed.
// 5. What is missing here and stands in the cache is copied from there. It is hashed on the way and
//    held to the pin, or else to its receipt.
// 6. What is still missing is downloaded, config and checkpoint at the same time. Before the first
//    byte of a file its size is compared with the free space and with the largest file that the
//    disk can hold; the error says what is needed, what there is, and where. Files are checked,
//    synced, and get their names together; then the receipt follows.
// 7. What the cache lacks is stored. A download is copied to the cache while it arrives, or cloned
//    behind it where the disk can do that: a clone takes no room. A slow cache holds up no
//    download. One that is full, read-only or gone is no error: cached is false, and why is said.
//
// on_message gets what follows, a line at a time. A message is a string with a severity, `how`.
// FILE is a name, 'PATH' and 'DIR' are quoted. information, how the call goes on:
//
//   The model (NAME) is already available locally.
//   The model (NAME) is available in the cache, copying locally.
//   The model (NAME) was not found, downloading and caching.
//   The model (NAME) was not found, downloading.
//       how the call goes on; two of these where a file turns out to be damaged meanwhile
//   The model (NAME) is ready locally; storing it in the cache.
//       where 64 MiB or more are to be stored
//   The copy of the model (NAME) is a clone: it costs no room, and dies with this disk.
//       where both directories are on one disk that can clone (XFS, btrfs)
//   Waiting for another call that is bringing the model (NAME).
//   Checking FILE against WHAT.
//       the pin, the local receipt, or the receipt in the cache
//   The file NAME is right after all; it is 'PATH' again.
//   Continuing FILE at byte N.
//       what an earlier call left is taken up
//   Fetching N of N blocks of FILE; the others are here.
//       repair_model(): blocks of damaged files are not fetched again
//   Damaged files hold all N blocks of FILE between them; nothing of it is fetched.
//   The server of FILE asks to wait N s until the next try.
//   The server of FILE refuses another connection; it waits for its turn.
//
// notebook_options() says where. It is a warning where it adds a note about these disks:
//
//   WHO: models go to 'DIR', copies to 'DIR'.
//       WHO is "PLATFORM (SIGN)", or "No notebook platform is known here"
//
// warning, where less holds than was asked for, or something wants a look:
//
//   The model (NAME) is complete locally, but not in the cache: WHY.
//       then model::cached is false
//   The local directory is that of the cache, too, 'DIR': no copy is kept.
//   The other call stalls; going on without it.
//   Nothing vouches for FILE: it is served unverified, as it was found.
//   Nothing vouches for the end of FILE: URL told no length.
//   The stored FILE came from URL, not from URL; it is served as it is. To get the other one, use
//       another name, or vqcache::remove.
//       the URLs of this call are others than those that it was stored from, and no pin is given.
//       Where both read the same, "(in what is hidden they differ)" stands behind them
//   The file 'PATH' is damaged (WHY); it was put aside as NAME.
//   The cached FILE is not used: WHY.
//   The cached FILE is damaged (WHY), but stays: WHY.
//   The cache holds another FILE than the local receipt; it stays.
//   The servers of FILE contradict each other about its SHA-256 (WHO, WHO); neither is believed.
//   The blocks of FILE are right by their checksums, but WHY.
//       then the whole file is fetched
//   Discarded N bytes of FILE: WHY.
//   Removed a partial of FILE (N bytes) that an earlier call left in 'DIR'.
//
// failure, where a way to bring a file has failed, and another one is taken:
//
//   The cache cannot be read: WHY.
//   It could not be restored whole, downloading.
//   The source URL of FILE has failed: WHY; taking the next one.
//
// The default, print_message, writes the line to standard output. An empty on_message is silence.
//
// ---- 4 sources and pins -------------------------------------------------------------------------
//
// A source is one address, or several: the first is the origin, the others are mirrors.
//
//   https://HOST/PATH     http:// too; a space, " or \ in it is an error: %20, %22 or %5C
//   file:///PATH          percent-encoded; file://localhost/PATH is the same
//   PATH                  a file of this machine; ~/ is the home directory
//   hf://ORG/REPO/PATH    a file of the Hugging Face hub; hf://ORG/REPO@REVISION/PATH, with %2F
//                         for a slash in the revision; hf://datasets/ORG/REPO/PATH
//   ANY://PLACE           any scheme, if options::fetch is set; files are read without it
//   ADDRESS#sha256=HEX    with a pin; of a URL any other fragment is dropped, but one that looks
//                         like a pin and is none is an error
//
// In full, with mirrors, a pin, a header and a size:
//
//     vqcache::source checkpoint({"https://example.org/my.ckpt", "https://mirror.example.org/my"},
//         "1111111111111111111111111111111111111111111111111111111111111111",
//         {"Authorization: Bearer TOKEN"});
//     checkpoint.size = 957954257;
//     vqcache::try_download_vqgan_model("my_model", "https://example.org/my.yaml", checkpoint);
//
// A pin is the SHA-256 of a file. It decides: other bytes are errc::hash_mismatch, whoever sent
// them. It goes behind #sha256= or to source::sha256; a second string in the braces is a mirror,
// and 64 hex digits there are an error. A file of this machine that is called so is ./NAME.
//
// Without a pin the first download is trusted. Its digest goes into the receipt, and every later
// restore and download of that name is held to it. So a changed origin is errc::hash_mismatch. A
// receipt that is left alone when its files were deleted still binds: use remove().
//
// A server may declare the SHA-256 of its file itself, by one of these headers of its answer:
//
//   Repr-Digest               sha-256=:BASE64: (RFC 9530)
//   Digest                    SHA-256=BASE64 (RFC 3230)
//   x-amz-checksum-sha256     of S3, if it is of all the object; it is sent where source::headers
//                             has "x-amz-checksum-mode: ENABLED"
//   X-Linked-ETag             64 hex digits in quotes; it counts on a redirect, too: the hub tells
//                             there what the other host is to send
//
// Then other bytes are errc::hash_mismatch, the next mirror is tried, and the receipt says who has
// declared it. It binds like any other digest of a receipt. A pin or a receipt overrules: a server
// that declares another digest is left before its body comes, and what is here stays. Where two
// that were redirected to contradict each other, neither is believed. Weak tags, other algorithms
// and Content-Digest are overlooked, and a page is refused though its server knows its digest.
//
// A file without a receipt, put there by hand, is served and said to be unverified. What is no such
// file by its look is not: an empty file, a web page, an error text, a cut zip archive, a config
// without a key, a checkpoint that is a short text. It stays until its replacement is complete, and
// the call fails if there is none. A pin overrules the look. Of two without a receipt that differ
// the local one is stored, if it is whole as far as can be told.
//
// A body whose end nobody tells, neither by a length nor by chunks, may be cut unseen. If there is
// no pin, declared digest or size, such an address is put off until the others have failed. What it
// brings, unless it is a zip archive whose end was seen, is "unverified" in the receipt and does
// not bind.
//
// What an earlier call left is hashed again before it is believed; after a power cut only what was
// synced counts. An answer is believed for what its head and its bytes prove together: a 200 whose
// Content-Range does not cover all of the file, or one ETag with two lengths, leaves what is here
// alone. Where the rest cannot be had, the whole is fetched beside it, and the first beginning goes
// when that is complete or has more. Where there is no room for both, the error says so.
//
// The next mirror is asked after 401, 403, 404, 410, another refusal, bytes that are not the file,
// or three tries in a row that gained nothing. With a pin it continues the bytes that are here, and
// so it does if it declares the same digest as the server that they came from. Then ETags and dates
// do not matter; without a pin or a declared digest they do, and a mirror starts anew.
//
// Credentials: user info of the URL (https://USER:PASSWORD@HOST/), or headers. Headers go to the
// host of the first address alone, the same scheme and port, and not beyond a redirect to another
// host. One of the same name as ours (Accept, Accept-Encoding, User-Agent) takes its place. Range,
// If-Range, TE, Transfer-Encoding, Content-Length, and Accept-Encoding other than identity are
// refused. No .netrc and no .curlrc is read.
//
// What Python has brought of the hub to this machine is taken from the hub's own cache, which is
// read only: the blob of the pinned digest, or what the revision leads to, held to the digest that
// its blob is called by. Else it is downloaded, with the token of this user, who may have none, for
// the hub's host alone. options::fetch gets such an address as it is.
//
// In C++ a source is made from a string, a std::filesystem::path, which is taken literally, or a
// list of strings.
//
// Redirects are followed to http and https, never from https to http. A cookie that a redirect sets
// goes back to its host until these redirects end, and is not kept.
//
// ---- 5 options ----------------------------------------------------------------------------------
//
// struct options says what each means. Values beyond a limit are errc::invalid_argument at once.
//
//   local_dir         empty                 fast, may be lost; chapters 2 and 8
//   cache_dir         empty                 slow, stays
//   keep_copy         true                  false: cache_dir is neither written nor looked into
//   also_look_in      empty                 directories as CACHE, to restore from; never written
//   create_dirs       true                  false: a missing directory is errc::directory_missing
//   offline           false                 nothing is downloaded; a source of paths alone serves
//   connections       4                     at most, for each file; 1 to 16
//   on_message        print_message         chapter 3
//   on_progress       empty                 false cancels the call; chapter 10
//   fetch             empty                 your own transport; chapter 12
//   transport         empty                 libcurl or curl: that one alone
//   max_bytes         64 GiB                of each file, of a path too; 0: no limit
//   max_bytes_per_second  0                 of all connections of a call, up to 2^63-1; 0: no limit
//   connect_seconds   20                    up to 2147483; 0: no limit
//   stall_seconds     30                    up to 2147483; 0: no limit
//   catch_interrupt   VQCACHE_INTERPRETED   Ctrl-C ends the call, not the program; chapter 10
//
// source::size takes the place of max_bytes for its file. stall_seconds counts for downloading,
// copying, hashing and storing. The first answer of a server may take three times as long, after
// connecting.
//
// max_bytes_per_second holds for what comes from the network, over each transport, and for all
// files of a call together. It is the average of some seconds: what is on its way in the system's
// buffers is not held back. Reading a path, restoring and storing are not slowed. The time in which
// bytes are held back does not count for stall_seconds.
//
// A directory may begin with ~ or ~/, the home directory. One that begins with $, is a %VARIABLE%,
// names another user's home or is a URL is refused: nobody would replace it.
//
// More than one connection is used for a file only if its server honours ranges and there is an
// ETag, a date, a pin or a declared digest to hold the parts together, and never with fetch. It
// begins with one. There are more while more than a second is left: up to four soon, beyond that
// where the last ones brought more, or after two seconds. A host that refuses one by 429 or above
// gets one.
//
// ---- 6 errors -----------------------------------------------------------------------------------
//
// A vqcache::error is thrown or returned; it is a std::system_error. what() is complete: which
// model, what failed, on what, why, and what to do; of a download every address, and what happened
// there. code() is compared with errc, or with the std::errc beside it in enum errc; two objects of
// std::error_code, of two libraries with hidden symbols, may differ. cause() is the code of the
// operating system, if it has one.
//
//   invalid_argument    a name, an address, a pin, a header or an option is malformed; mend it
//   unknown_model       a name alone that is not held, and not listed, or as two; give its URLs
//   name_taken          a good file of another model has this name, or a name that differs in case
//                       alone where the disk ignores case; use another name, or remove that model
//   directory_missing   with create_dirs false; create it
//   permission_denied   change the rights of the file or directory, or choose another one
//   no_space            on the disk, in a quota, or beyond a limit of file sizes; the text says
//                       what is needed and what there is
//   offline             a download would be needed; call once with a network
//   no_transport        no libcurl and no curl that can be used; install one, or set fetch
//   connection          the look-up, connecting, or the connection; look at URL, network and proxy
//   tls                 certificate or handshake; look at the clock and the CA file
//   http_status         an error of the server, or an answer that is none; the text has its words
//   not_the_file        a page, an error text, the other file of the pair, or too many bytes; open
//                       the URL in a browser
//   truncated           fewer bytes than announced; call again
//   hash_mismatch       not what the pin or receipt says; look at the pin. For the new file of an
//                       origin that changed: remove, then call again. Or not what its own server
//                       declares, which only its owner can mend: try another source
//   callback            a callback threw, or fetch was used wrongly; mend it
//   cancelled           on_progress returned false
//   interrupted         SIGINT, with catch_interrupt; call again
//   timed_out           under 64 KiB in stall_seconds, or no connection in connect_seconds
//   io                  any other failure of a file operation, a local source that is not there, or
//                       "out of memory"
//
// What came is kept where it can be continued, and the text says how many bytes. The throwing form
// passes the exception of a callback on as it was; the try_ form gives errc::callback.
//
// ---- 7 limits -----------------------------------------------------------------------------------
//
// Those that options do not set: the room where each stands, its name there, and what it bounds.
//
//   strings     longest_name = 100       bytes of a name of letters, digits, "." "_" "-". It does
//                                        not begin with . or -, does not end in ., and is no device
//                                        of Windows (con, nul, com1, ...)
//   formats     most_files = 20000       of a set
//   formats     block_size = 8 MiB       of a file, that a receipt has a checksum of; it has them
//                                        of all blocks of a file, or of none where they would
//                                        make it larger than 8 MB (some 3 TB of files)
//   partial     most_gaps = 16           requests by which repair_model() fetches the rest
//   checks      most_connections = 16    of a file
//   checks      most_seconds = 2147483   of connect_seconds and stall_seconds
//   checks      largest_file = 9223372036854775807   of source::size and max_bytes_per_second
//   connection  most_hops = 20           redirects of one request
//   policy      fruitless_tries = 3      tries of a URL in a row that gain nothing
//   policy      most_tries = 1000        tries of a URL
//   policy      longest_wait = 120 s     of Retry-After; a server that asks for more is given up
//   worker      least = 64 KiB           what gains less in stall_seconds has failed
//   transport   limit = 256 KiB          the header of an answer
//   http        most_cookies = 50        of one chain of redirects
//   http        cookie_size = 4 KiB      a longer one is not taken
//   http        cookies_size = 16 KiB    of the cookies in one request
//   http        grown_up = 60 s          a Last-Modified so much older than Date is a validator
//   sniff       short_text = 4 KiB       no checkpoint is all text and shorter
//   partial     config_limit = 16 MiB    of a config without a pin or receipt
//   partial     most_parts = 32          of a file at the same time
//   partial     sync_every = 64 MiB      of a download between two syncs, for a power cut
//   download    always_good = 4          connections that need not show that they bring more
//   call        told_from = 64 MiB       bytes whose storing is announced
//   call        most_rounds = 3          of a call whose local files change while they are read
//   call        default_limit = 30 s     the wait for another call, where stall_seconds is 0
//   error       least_pause = 500 ms     between two calls of on_progress
//   process     patience = 5000 ms       for the program curl to end
//   doctor      slowest = 5 s            for the program curl to tell its version
//   doctor      little_room = 2 GiB      less free space is warned of
//
// A cut connection is taken up at once as long as it gains. Else there is a pause of up to a
// second, then one of up to two.
//
// ---- 8 environment variables --------------------------------------------------------------------
//
// An option that is set wins. A variable that is set to nothing counts as not set.
//
//   VQCACHE_LOCAL_DIR     for local_dir; else content/models in the working directory
//   VQCACHE_CACHE_DIR     for cache_dir; else content/cache/models
//   VQCACHE_OFFLINE       as offline; 0, false, no and off mean no, anything else means yes
//   VQCACHE_TRANSPORT     for transport
//   HOME                  what ~ is; on Windows USERPROFILE
//   XDG_CACHE_HOME        for user_options(); else ~/.cache, on macOS ~/Library/Caches
//   LOCALAPPDATA          the same on Windows
//   HF_ENDPOINT           where hf:// is; else https://huggingface.co
//   HF_TOKEN              the token for it; else what the file HF_TOKEN_PATH or HF_HOME/token holds
//   HF_TOKEN_PATH         that file
//   HF_HUB_DISABLE_IMPLICIT_TOKEN   1: no token
//   HF_HUB_CACHE          the hub's own cache, or HUGGINGFACE_HUB_CACHE; else HF_HOME/hub
//   HF_HOME               else huggingface in the user's cache folder
//   CURL_CA_BUNDLE        a file of certificates that libcurl is given, else
//   SSL_CERT_FILE         this one
//   SSL_CERT_DIR          a directory of certificates that libcurl is given
//
// notebook_options(), and nobody else, looks for signs of a platform:
//
//   Kaggle                KAGGLE_KERNEL_RUN_TYPE KAGGLE_USER_SECRETS_TOKEN KAGGLE_DATA_PROXY_TOKEN
//   Paperspace            PAPERSPACE_NOTEBOOK_REPO_ID PAPERSPACE_CLUSTER_ID PAPERSPACE_FQDN
//   Hugging Face Spaces   SPACE_ID
//   Binder                BINDER_REPO_URL BINDER_REF_URL BINDER_LAUNCH_HOST
//   Colab Enterprise      VERTEX_PRODUCT
//   Colab                 COLAB_RELEASE_TAG TBE_RUNTIME_ADDR COLAB_GPU
//   Lightning Studio      LIGHTNING_CLOUDSPACE_HOST LIGHTNING_CLOUD_PROJECT_ID
//   SageMaker Studio Lab  SAGEMAKER_INTERNAL_IMAGE_URI
//
// And after all of these for paths: /var/colab/hostname, /teamspace, /home/studio-lab-user.
//
// libcurl and the program curl read the variables of proxies by themselves: http_proxy, and in
// either case of letters https_proxy, all_proxy and no_proxy. The program reads those of
// certificates, too. It is looked for in PATH, on Windows in the system's directory.
//
// ---- 9 macros -----------------------------------------------------------------------------------
//
// Set before the include:
//
//   VQCACHE_USE_LIBCURL      1: <curl/curl.h> is included, and you link libcurl. 0: it is loaded
//                            when it is first needed
//   VQCACHE_HEADER_ONLY      0: declarations alone, which compile in less time
//   VQCACHE_IMPLEMENTATION   with VQCACHE_HEADER_ONLY 0, in one .cpp: the bodies too
//   VQCACHE_INTERPRETED      1: output goes through std::cout, and catch_interrupt is true. It is 1
//                            where __CLING__ or __CLANG_REPL__ is defined
//
// Left behind, with those:
//
//   VQCACHE_HPP              major * 10000 + minor * 100 + patch; the include guard, too
//   VQCACHE_VERSION_MAJOR    and
//   VQCACHE_VERSION_MINOR    and
//   VQCACHE_VERSION_PATCH    three plain numbers
//   VQCACHE_HAS_BODIES       1 where this unit has the bodies
//
// One .cpp of a program whose other units define VQCACHE_HEADER_ONLY as 0:
//
//     #define VQCACHE_HEADER_ONLY 0
//     #define VQCACHE_IMPLEMENTATION
//     #include "vqcache.hpp"
//
// Units of both kinds link. Units with another version, with another VQCACHE_USE_LIBCURL, or with
// and without exceptions have other names: they share nothing. Without exceptions the throwing
// forms do not exist. Programs, shared libraries, plugins that are closed again and extensions of
// Python may include this file, with hidden symbols too.
//
// find_package(vqcache 0.2) finds any 0.2 and no 0.3: before 1.0 a minor version may change what is
// public. There are no components. What may be switched when it is built is told in CMakeLists.txt.
//
// ---- 10 threads and signals ---------------------------------------------------------------------
//
// Every function may be called from any thread at once. Callbacks and output happen on the thread
// that calls. A call starts threads of its own, which hash and copy; they are joined before it
// returns, and handle no signal. The program curl is ended, too.
//
// Several calls, processes and hosts may bring the same model at once. Each writes private files
// and renames them.
//
// on_progress gets the phase: waiting for another call, downloading, restoring, storing, verifying.
// It is called at the first step of each phase of a file, at the last where bytes are counted, and
// at most twice a second between. On a hit it is not called. false in the phase storing is no
// error: the local files are complete, and cached is false. progress_line{FILE} rewrites one line
// on a terminal and in a notebook; in a log it writes one for each tenth of what has over 1 MB. It
// and on_message are all that is ever printed.
//
// An exception of a callback ends the call. None leaves a thread or a destructor. When memory runs
// out the call ends with an error, and nothing on the disk is lost by it (with exceptions on).
//
// With catch_interrupt SIGINT is handled while files are brought or stored, and ends all such calls
// that are under way with errc::interrupted; in the phase storing too, where the local files are
// complete. The handler of before is put back. A program that ignores SIGINT goes on to do so.
// SIGPIPE and SIGXFSZ are held back on the calling thread meanwhile. pthread_cancel() is held back
// during a call, and acts after it.
//
// A process that dies leaves partials. The next call continues them, or removes them when their
// owner is provably gone, or cannot be told and a day has passed. Its program curl ends by itself
// after connect_seconds and six times stall_seconds of silence.
//
// No file that the library opens is passed on to a program that starts meanwhile. After fork() the
// child holds the lock of a call that was under way, until it ends or becomes another program.
//
// ---- 11 notebooks -------------------------------------------------------------------------------
//
// Put this file beside the notebook. What xeus-cling, xeus-cpp and ROOT take, cell by cell; the
// pragma is for xeus-cling alone. Cell:
//
//     #pragma cling add_include_path(".")
//     #include "vqcache.hpp"
//
// A declaration stands in a cell of its own. Cell:
//
//     vqcache::options opts = vqcache::notebook_options();
//
// These can be run again and again. Cell:
//
//     opts.on_progress = vqcache::progress_line();
//     vqcache::download_vqgan_model("vqgan_imagenet_f16_1024", opts);
//
// ROOT's kernel shows no exception. It is started with ROOT_INCLUDE_PATH=. in its environment, and
// shows output when the cell ends. Cell:
//
//     vqcache::result r = vqcache::try_download_vqgan_model("vqgan_imagenet_f16_1024", opts);
//     std::cout << (r ? r.model.checkpoint.string() : r.error.what()) << std::endl;
//
// A callback stands in a cell of its own: several kernels crash on a lambda inside a call. Cell:
//
//     auto always = [](const vqcache::progress&) { return true; };
//
// It is set in the next one. Cell:
//
//     opts.on_progress = always;
//
// clang-repl before 19 does not say that it interprets; it needs -Xcc=-DVQCACHE_INTERPRETED=1, or
// Ctrl-C ends the session. Before 16 it takes no statements: they stand in a function of a header.
// examples/vqcache_display.hpp has a table and a progress bar for xeus.
//
// After each start the interpreter compiles the library when it is first called, which takes 3 to
// 12 s. One that is built once, and again for each new vqcache.hpp, leaves under 1 s. In a shell:
//
//     with="-DVQCACHE_HEADER_ONLY=0 -DVQCACHE_IMPLEMENTATION -DVQCACHE_INTERPRETED=1"
//     g++ -std=c++17 -shared -fPIC $with -x c++ vqcache.hpp -o libvqcache.so
//
// Then two cells go before the one that includes this file. Cell:
//
//     #include <dlfcn.h>
//     #include <iostream>
//     #define VQCACHE_HEADER_ONLY 0
//
// It is loaded in the second; where library is null, dlerror() says why. cppyy has load_library for
// this, and cppdef for the #define. Cell:
//
//     void* library = dlopen("./libvqcache.so", RTLD_NOW | RTLD_GLOBAL);
//
// cppyy finds the first overload of a name alone, and crashes in a fetch that is written in Python:
// a call by name and an own fetch go through cppdef. Python:
//
//     import cppyy
//     cppyy.add_include_path(".")
//     cppyy.include("vqcache.hpp")
//     v = cppyy.gbl.vqcache
//     o = v.options()
//     try:
//         m = v.download_vqgan_model("NAME", "CONFIG_URL", "CHECKPOINT_URL", o)
//         print(m.checkpoint.string())
//     except cppyy.gbl.std.exception as e:
//         print(e.what())
//
// The stop button ends the call with an error that says how many bytes are kept. The kernel and its
// variables live, and the same cell goes on from there.
//
// notebook_options() sets the two directories, unless they or their variables are set, and says
// what it chose:
//
//   platform                local_dir                cache_dir: /cache/models in the first of
//   Kaggle                  /kaggle/temp/models      /kaggle/working
//   Paperspace              /tmp/models              /storage, /notebooks
//   Hugging Face Spaces     /tmp/models              /data
//   Binder                  /tmp/models              nothing
//   Colab Enterprise        /content/models          nothing
//   Colab                   /content/models          nothing
//   Lightning Studio        /tmp/models              /teamspace/studios/this_studio
//   SageMaker Studio Lab    /tmp/models              /home/studio-lab-user
//
// Behind these, on each platform, comes a mounted Google Drive: its MyDrive. A folder counts if it
// has cache/models, or can be written. If there is none, copies stay on the fast disk, and it says
// that nothing lasts. Any other machine keeps the defaults.
//
// Kaggle keeps what stands in /kaggle/working when a version is saved. Add its output as an input
// to the next version: also_look_in gets every input that has cache/models, and what is restored
// from there is copied to /kaggle/working too: each version hands on all that it has used.
//
// ---- 12 transports ------------------------------------------------------------------------------
//
// fetch, if it is set; else libcurl, found when it is first needed: what the process has loaded,
// then libcurl.so.4, libcurl-gnutls.so.4 or libcurl-nss.so.4 (macOS: libcurl.4.dylib; Windows:
// libcurl-x64.dll, libcurl.dll or libcurl-4.dll); else the program curl, 7.55 or newer, without a
// shell. Redirects, tries, ranges and limits are the library's own, so that all behave alike.
// Requests are HTTP/1.1.
//
// Your own transport fills a response: status and headers first, then the bytes:
//
//     vqcache::options o;
//     o.fetch = [](const vqcache::request& wanted, vqcache::response& answer) {
//       const std::string text = "model: " + wanted.url;
//       answer.status(200);
//       answer.header("Content-Length", std::to_string(text.size()));
//       if (!answer.write(text.data(), text.size())) return;  // no more is wanted
//     };
//
// It is called on the calling thread, one request at a time. Without status() the answer is 200 and
// the whole file. After fail(why) the error is errc::connection. A part, request::offset, is asked
// of it only if it told a status earlier in the call, and an ETag, a date or a pin is known; it
// answers 206 with a Content-Range. request::length is 0 in this version: to the end. Where it
// answers with a redirect, to http or https alone, it is asked for that address. status() or
// header() after write(), or returning without status, write and fail, is errc::callback. It sees
// addresses with their secrets, and as they were given: there may be .. in them.
//
// SHA-256 is computed by libcrypto (3 or 1.1), CommonCrypto or BCrypt, loaded when they are there,
// else by code in this file.
//
// ---- 13 security --------------------------------------------------------------------------------
//
// Defended:
// - Names of models stay inside the two directories; they are checked before any of it is touched.
// - TLS is verified, and nothing switches that off. No redirect leads from https down to http, or
//   to file:// or any other scheme.
// - A pin or a receipt decides about bytes, whoever sent them, also on the way out of the cache.
// - A server is bounded: bytes, headers, redirects, tries, waits, cookies (chapter 7).
// - No secret is in the arguments of a program, where others could read it: the program curl gets
//   URL and headers on its standard input.
// - User info and query values of URLs are *** in messages, errors and receipts, and so is what a
//   server repeats of them or of your headers, from 4 bytes on. Records hold a digest of the URL,
//   receipts one of the URL without user info, signatures and tokens.
//
// Not defended:
// - What is in the model. A pickle runs code when it is loaded; only a pin tells which one it is.
// - The first download without a pin, and http:// without a pin. A digest that a server declares
//   guards against accidents alone: who can change the bytes can change it, too.
// - Who may write to your directories. A receipt guards against accidents: it is not signed. A hit
//   does not hash the files again.
// - Who sets your environment, PATH or library path: that chooses proxy, certificates, curl and
//   libcurl.
// - Secrets in the path of a URL, which is shown and stored. Secrets in memory.
// - Addresses: a redirect may lead to any host, one of your own network too.
// - Who may read the copies: that is left to the rights of the directories.
//
// ---- 14 upkeep ----------------------------------------------------------------------------------
//
// remove() takes the receipts, the files, what was put aside, what is unfinished and the lock of a
// model out of both directories, and CACHE/NAME if it is empty then. It waits for a call that is
// bringing it.
//
// What is held is listed without a look into the files. verify_model() reads every byte of both
// directories and holds it to the receipts; repair_model() brings what is not right from the other
// one, from also_look_in, or from where its receipt says that it came from:
//
//     for (const vqcache::held_model& one : vqcache::list_models()) {
//       const vqcache::verification found = vqcache::verify_model(one.name);
//       if (!found.ok()) vqcache::repair_model(one.name);
//     }
//
// A condition is right, missing, damaged, unreadable, or unvouched: no receipt speaks of that file.
//
// Where no place has the whole file, its blocks of 8 MiB are taken from all damaged ones that have
// its receipt's checksum of them, and only the rest is fetched: one flipped byte costs one block,
// and 64 KiB on both sides. The whole file is fetched where the receipt has no checksums (a file of
// up to 8 MiB, or one that an older version stored), where the server gives no parts, through
// options::fetch, and where what was put together does not have its digest. Until it is complete it
// takes as much room as a download.
//
// prune() makes room in LOCAL, and never touches CACHE. The models that were not used for longest
// go first, until local files have at most so many bytes:
//
//     const vqcache::pruning would = vqcache::prune(std::uint64_t{20} << 30, true);  // a dry run
//     for (const vqcache::pruned_model& one : would.models) {
//       std::cout << one.name << (one.is_removed ? " goes: " : " stays: ") << one.why << '\n';
//     }
//
// Before a model goes, each copy of its files is read, and is what its receipt and the local one
// say; where neither directory has a receipt, both files are read and are equal. Then the local
// receipt goes, then the files. A model stays where a copy is missing or damaged, where no copy is
// kept, where LOCAL and CACHE lead to one file, and while another call works on it. remove() alone
// takes away what has no copy; also_look_in counts for none. A dry run reads receipts and sizes, no
// copy: a model that would go may stay. What is unfinished, or was put aside, stays.
//
// Used is when the local receipt was read last: a hit reads it, and what this chapter has does not
// count. Most systems note that once a day; some never do: then it is when the receipt was written.
// A file that a program has open keeps its blocks until that ends, and so does one that shares them
// with its copy: what prune() tells are sizes of files.
//
// explain() tells what a call for a name would do with each file, and why: use, hash, restore,
// download or fail. It looks at what a call looks at, and changes nothing. Where a file would be
// downloaded it asks each URL that is known, the receipt's or the catalogue's, for one byte:
//
//     const vqcache::explanation all = vqcache::explain("my_model");
//     std::cout << all.summary << '\n';
//     for (const vqcache::explained_file& one : all.files) {
//       for (const std::string& line : one.why) std::cout << one.file << ": " << line << '\n';
//     }
//
// doctor() tells what a call would find here, and what to do where that is not good. No request is
// sent, no directory is made, also_look_in is not written, and what is measured with private files
// in the other two goes at once (what a kill leaves of them, after a day). In this order:
//
//   transport      libcurl or curl with its version and TLS, or fetch; why there is none
//   proxy          for https and http, by which variable; no_proxy. Not with fetch
//   certificates   the file or directory, and whether it can be read. Not with fetch
//   offline        where an option or a variable asks for that
//   environment    each variable of chapter 8 that is set, for directories, transport and hub; of a
//                  token, that it is
//   hash           by which library, and at which rate
//   local_dir      whether it is there or may be made, and on what; its free space, with a warning
//                  under 2 GiB; whether it can be listed and written; what rename, fsync, flock and
//                  reflink do in it; whether case counts
//   cache_dir      the same; what fails there is a warning, since calls go on without it
//   also_look_in   of each: whether it is there, and can be listed
//   tiers          whether a copy would outlast the disk, and costs room
//
// A finding is information, a warning, or a failure: then calls fail by it. In a program:
//
//     for (const vqcache::finding& one : vqcache::doctor()) {
//       if (one.how == vqcache::severity::information) continue;
//       std::cout << one.about << ": " << one.said << "; " << one.advice << '\n';
//     }
//
// By hand, while no call runs, these may be deleted: FILE.corrupt-X, partials with their records
// (their bytes come once more), the lock. So may a file, or one of the directories: the next call
// brings it back from the other one. If both receipts were deleted, nothing vouches for the files.
//
// A cache may be filled by hand, or by several hosts at once: nothing there is locked. Callers wait
// for each other only where they share LOCAL. Who copies a model elsewhere takes its receipt along.
//
// ---- 15 what it does not do ---------------------------------------------------------------------
//
// - It never looks whether the origin has a newer file.
// - It does not load models. What a model's own code fetches besides it does not see.
// - A cache whose system calls never return, as a dead mount of a network, holds the call; so does,
//   over libcurl, the look-up of a name, for as long as the system takes for it.
// - A stored model is served whatever address is given. Another address than that of its receipt is
//   said, but for a pin, and for what signs or authorises a request: X-Amz-*, sig, token, ...
// - On Windows no copy is made while a file arrives: storing comes after.
//
// ---- 16 changes ---------------------------------------------------------------------------------
//
// 0.2.0
// - Any set of files: download_model, download_file, restore_model; model::files.
// - list_models, verify_model, repair_model, prune, explain, doctor.
// - max_bytes_per_second.
// - on_message gets a message: a string with a severity. Lambdas that take a string go on to work.
// - result::value(), and -> to the model. A try_ form whose result is not looked at is a warning.
// - Receipts have checksums of blocks, so that repair_model fetches only what is damaged.
// - hf:// addresses. A source from a std::filesystem::path, a string_view, a list of strings.
// - One tier: options::keep_copy. More places to restore from: also_look_in. user_options().
// - notebook_options() on Kaggle: new models stay where the next version finds them, and each input
//   is looked in.
// - VQCACHE_HEADER_ONLY and VQCACHE_IMPLEMENTATION: declarations alone, and one unit with bodies.
// - error, response and progress_line are plain classes, and no templates any more.
// - Shared libraries and plugins: e.code() == errc::x holds across their borders.
// - 0 is no limit for max_bytes, connect_seconds and stall_seconds. Options beyond a limit, and a
//   null pointer as an address, are errc::invalid_argument when the call begins.
// - max_bytes holds for local sources, stall_seconds over options::fetch. VQCACHE_OFFLINE: false,
//   no and off mean no.
// - Files without a receipt are judged by their look in both directories, as downloads are.
// - Answers that contradict themselves change nothing here. Where the rest of a file cannot be had,
//   the whole comes beside it. Files take turns at a host that allows one connection.
// - A cookie that a redirect sets goes back until these redirects end.
// - A SHA-256 that a server declares itself is held to, and continues a partial, as a pin does.
// - A stored model that came from another address than the one given is told, from its receipt.
// - Names that differ in case alone are told apart where the disk does not.
// - Where a disk can share blocks the copy of a download is a clone, too, and that is said.
// - Of a query people read what names a file. What they read is UTF-8 without control characters.
// - A proxy, a login, a full table of descriptors, a read-only disk: each is told as what it is.
// - A call survives the end of memory and pthread_cancel(). A curl whose caller died ends.
// - CMake's and Meson's installations bring the same files, with one for pkg-config. The target has
//   threads and dl. Recipes for Conan and vcpkg, and a C++20 module, lie in examples/packaging.
// - The manual is at the head of this file.
//
// 0.1.0
// - The first version. What it wrote is read by every later one.
//
// Rooms of this file, each using only those above it: config, api, containers, error, strings,
// urls, http, formats, sniff, catalog, os, process, hash, ranges, journal, worker, partial,
// transport, checks, hub, policy, connection, download, tier, plan, call, sets, upkeep, doctor,
// notebook, public, undef.
// ==== >>config ==== macros: the version, and the switches with their defaults ====
#ifndef VQCACHE_HPP
#define VQCACHE_HPP 200  // major * 10000 + minor * 100 + patch
#if !defined(_MSC_VER) && __cplusplus < 201703L
#error "vqcache.hpp needs C++17: compile with -std=c++17 or later"
#endif
#define VQCACHE_VERSION_MAJOR 0
#define VQCACHE_VERSION_MINOR 2
#define VQCACHE_VERSION_PATCH 0
#ifndef VQCACHE_USE_LIBCURL  // 1: compile against <curl/curl.h> and link libcurl yourself
#define VQCACHE_USE_LIBCURL 0
#endif
#ifndef VQCACHE_HEADER_ONLY    // 0: declarations alone, but in the one .cpp that defines
#define VQCACHE_HEADER_ONLY 1  // VQCACHE_IMPLEMENTATION before its first include of this file
#endif
#if VQCACHE_HEADER_ONLY || defined(VQCACHE_IMPLEMENTATION)
#define VQCACHE_HAS_BODIES 1
#else
#define VQCACHE_HAS_BODIES 0
#endif
#if !defined(VQCACHE_INTERPRETED) && (defined(__CLING__) || defined(__CLANG_REPL__))
#define VQCACHE_INTERPRETED 1  // output goes through std::cout, which is what a notebook shows
#elif !defined(VQCACHE_INTERPRETED)
#define VQCACHE_INTERPRETED 0
#endif
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define VQCACHE_EXCEPTIONS_ 1
#else
#define VQCACHE_EXCEPTIONS_ 0
#endif
// What one library throws another one has to recognise, whatever -fvisibility hides in them.
#if defined(__GNUC__) && !defined(_WIN32)
#define VQCACHE_SEEN_ __attribute__((visibility("default")))
#else
#define VQCACHE_SEEN_
#endif
// Units with and without the bodies link: where a unit has them, each is one that the linker may
// find several times (a strong one would collide with an inline one on Windows).
#if VQCACHE_HEADER_ONLY
#define VQCACHE_API_ inline
#elif !VQCACHE_HAS_BODIES
#define VQCACHE_API_
#elif defined(__GNUC__)
#define VQCACHE_API_ __attribute__((used)) inline
#else
#define VQCACHE_API_
#endif
// The version and what changes the interface are part of all names: a mismatch does not link.
#define VQCACHE_TAG_(exceptions, linked) v0_2_0_exceptions##exceptions##_linked##linked
#define VQCACHE_TAG_OF_(exceptions, linked) VQCACHE_TAG_(exceptions, linked)
#define VQCACHE_ABI_ VQCACHE_TAG_OF_(VQCACHE_EXCEPTIONS_, VQCACHE_USE_LIBCURL)
#define VQCACHE_NEED_(step) /* that gives a status: its failure is this function's */ \
  if (vqcache::detail::error::status need_ = (step); !need_.ok()) return need_
// ==== >>api ==== names a user may type ====
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace vqcache {
inline namespace VQCACHE_ABI_ {
enum class origin { local, cache, network };  // where this call found the files

// Where one file comes from: http://, https://, file://, a path; with options::fetch any scheme.
// hf://ORG/REPO[@REVISION]/PATH (or hf://datasets/...) is a file of the Hugging Face hub: taken
// from the hub's own cache on this machine where Python has brought it, else downloaded with the
// token of this user. A slash in a revision is written %2F.
struct source {
  std::vector<std::string> urls;  // tried in order; the first is the origin, the others are mirrors
  std::string sha256;             // 64 hex digits, or empty: trust on first use
  std::vector<std::string> headers;  // "Name: value", for the host of urls[0] only
  std::uint64_t size = 0;            // bytes; 0: not known
  source() = default;

  source(const char* url) : urls{given(url)} {}  // "URL#sha256=HEX" carries the pin

  source(const std::string& url) : urls{url} {}

  source(std::string_view url) : urls{std::string(url)} {}

  source(const std::filesystem::path& file) : urls{literal(file)} {}  // no ~, scheme or pin in it

  source(std::initializer_list<const char*> mirrors) {
    for (const char* url : mirrors) {
      urls.push_back(given(url));
    }
  }

  source(std::vector<std::string> u, std::string d = {}, std::vector<std::string> h = {})
      : urls(std::move(u)),
        sha256(std::move(d)),
        headers(std::move(h)) {}

 private:
  // A null pointer, of an unset variable perhaps, is told inside the call: as what no URL can be.
  static std::string given(const char* url) {
    return url ? std::string(url) : std::string(1, '\0');
  }

  static std::string literal(const std::filesystem::path& file);
};

// One file of a set: its name there, "model.onnx" or "onnx/model.onnx", and where it comes from.
// What is no such file (a page, an error text, a cut archive) is refused by what its extension lets
// expect: .ckpt, .pt, .safetensors, .onnx, .gguf and their like are weights, and .html, .md, .txt,
// .xml may be pages themselves.
struct named_source {
  std::string file;
  source from;
};

struct model {                               // what a call returns
  std::string name;                          // canonical: an alias of a published model is resolved
  std::filesystem::path config, checkpoint;  // of a VQGAN: the local files, absolute
  vqcache::origin from = vqcache::origin::local;
  bool cached = false;  // the persistent copy is complete, with the local receipt's digests
  std::vector<std::filesystem::path> files{};  // all local files, absolute, as they were asked for
};

inline std::ostream& operator<<(std::ostream& out, const model& m) {
  return out << m.name;
}
enum class phase { waiting, downloading, restoring, storing, verifying };

enum class severity {
  information,  // how the call goes on
  warning,      // it goes on, but less holds than was asked for, or something wants a look
  failure       // a way to bring a file has failed; another one is taken
};

// A line for a person: a string, and how much it matters. A call that fails as a whole has an error
// instead.
struct message : std::string {
  severity how = severity::information;
  message() = default;

  message(std::string line, severity s = severity::information)
      : std::string(std::move(line)),
        how(s) {}

  message(const char* line, severity s = severity::information) : std::string(line), how(s) {}
};

struct progress {
  std::string name, file;  // the model, and the file as it is called on disk
  vqcache::phase phase = vqcache::phase::waiting;
  std::uint64_t done = 0, total = 0;               // bytes; total 0: not known
  double bytes_per_second = 0, seconds_left = -1;  // -1: not known
};

// A user's transport fills the response: status and headers, if any (else 200), then the bytes.
struct request {
  std::string url;
  std::vector<std::string> headers;      // "Name: value"
  std::uint64_t offset = 0, length = 0;  // bytes wanted; length 0: to the end
};

class response {
 public:
  virtual void status(int code) = 0;
  virtual void header(std::string_view name, std::string_view value) = 0;
  virtual bool write(const void* data, std::size_t size) = 0;  // false: stop, no more is wanted
  virtual void fail(std::string why) = 0;

 protected:
  ~response() = default;
};

using fetcher = std::function<void(const request&, response&)>;
VQCACHE_API_ void print_message(const std::string& line);  // the line to standard output, at once

// A ready on_progress. On a terminal one line over itself, else one per 10 % of what has over 1 MB.
struct progress_line {
  std::FILE* to = stdout;
  std::string last{};  // what it has told
  bool operator()(const progress& p);
};

struct options {
  unsigned connections = 4;  // at most, per file, 1 to 16; for servers that honour ranges
  bool create_dirs = true;   // false: a missing directory is an error
  bool offline = false;      // only the two tiers and local sources; also VQCACHE_OFFLINE=1
  // empty: VQCACHE_LOCAL_DIR, VQCACHE_CACHE_DIR, else content/models, content/cache/models; ~: home
  std::filesystem::path local_dir{}, cache_dir{};
  bool keep_copy = true;  // false: one tier, nothing goes to cache_dir, and model::cached is false
  // more places to restore from, in this order after cache_dir, and laid out as it is: only read
  std::vector<std::filesystem::path> also_look_in{};
  fetcher fetch{};  // empty: libcurl, else the program curl
  std::function<void(const message&)> on_message = print_message;  // empty: silence
  std::function<bool(const progress&)> on_progress{};  // at most 2/s, and both ends; false cancels
  std::string transport{};  // "libcurl" or "curl": only that one; also VQCACHE_TRANSPORT
  // of these 0 is no limit
  std::uint64_t max_bytes = std::uint64_t{64} << 30;  // of a file, unless source::size tells
  std::uint64_t max_bytes_per_second = 0;  // from the network, all connections of a call together
  unsigned connect_seconds = 20;           // to connect, up to 2147483
  unsigned stall_seconds = 30;  // what gains under 64 KiB in this time has failed; up to 2147483
  // SIGINT (Ctrl-C, a notebook's stop button) ends the call with errc::interrupted, not the program
  bool catch_interrupt = VQCACHE_INTERPRETED != 0;
};
enum class errc {        // stable names; last the std::errc that each equals
  invalid_argument = 1,  // a malformed name, URL, pin, header or option: invalid_argument
  unknown_model,         // no tier holds it, no URL is known: no_such_file_or_directory
  name_taken,            // another model stands under this name: file_exists
  directory_missing,     // and create_dirs is false: no_such_file_or_directory
  permission_denied,     // by the operating system: permission_denied
  no_space,              // on the disk, in a quota, under a size limit: no_space_on_device
  offline,               // a download would be needed: network_down
  no_transport,          // neither libcurl nor curl: function_not_supported
  connection,            // the look-up, the connecting or the connection: connection_aborted
  tls,                   // the server's certificate or handshake: connection_refused
  http_status,           // an error or nonsense from the server: protocol_error
  not_the_file,          // a page, an error text, the other file of the pair: bad_message
  truncated,             // fewer bytes than announced: message_size
  hash_mismatch,         // not what pin, receipt or server declare: illegal_byte_sequence
  callback,              // one of your callbacks failed: operation_not_permitted
  cancelled,             // by on_progress: operation_canceled
  interrupted,           // SIGINT, with options::catch_interrupt: interrupted
  timed_out,             // timed_out
  io                     // any other failure of a file operation: io_error
};
}  // namespace VQCACHE_ABI_
}  // namespace vqcache

template <>
struct std::is_error_code_enum<vqcache::errc> : std::true_type {};  // before any ==

namespace vqcache {
inline namespace VQCACHE_ABI_ {
VQCACHE_API_ const std::error_category& error_category() noexcept;
VQCACHE_API_ std::error_code make_error_code(errc e) noexcept;

// A library that hides its symbols has a category object of its own, and std::error_code compares
// these by their addresses. So `e.code() == errc::x` goes by the name and the value. Two objects of
// std::error_code, of two libraries, are compared as the standard does it, by address.
inline bool operator==(const std::error_code& code, errc e) noexcept {
  return code.value() == static_cast<int>(e) && std::strcmp(code.category().name(), "vqcache") == 0;
}

inline bool operator==(errc e, const std::error_code& code) noexcept {
  return code == e;
}

inline bool operator!=(const std::error_code& code, errc e) noexcept {
  return !(code == e);
}

inline bool operator!=(errc e, const std::error_code& code) noexcept {
  return !(code == e);
}

class VQCACHE_SEEN_ error : public std::system_error {
 public:
  error() : std::system_error(std::error_code()), text_("no error") {}

  error(errc code, const std::string& text, std::error_code why)
      : std::system_error(make_error_code(code)),
        text_(text),
        cause_(why) {}

  const char* what() const noexcept override {  // complete by itself
    const char* const text = text_.what();
    return *text || cause_ != std::errc::not_enough_memory ? text : "out of memory";
  }

  std::error_code cause() const noexcept { return cause_; }  // of the operating system, if any
 private:
  std::runtime_error text_;  // for its copy, which cannot throw
  std::error_code cause_;
};

struct result {
  vqcache::model model;
  vqcache::error error;

  bool ok() const noexcept { return !error.code(); }

  explicit operator bool() const noexcept { return ok(); }

  const vqcache::model* operator->() const noexcept { return &model; }
#if VQCACHE_EXCEPTIONS_
  const vqcache::model& value() const;  // throws the error, where there is one
#endif
};

// The name is 1 to 100 of A-Z a-z 0-9 . _ - (not first . or -, not last ., no Windows device name).
// Without sources: the two tiers, then the catalogue, then where a receipt says that a file came
// from. The try_ forms never throw.
[[nodiscard]] VQCACHE_API_ result try_download_vqgan_model(const std::string& name,
    const source& config, const source& checkpoint, const options& opts = {});
[[nodiscard]] VQCACHE_API_ result try_download_vqgan_model(
    const std::string& name, const options& opts = {});
// Any set of files, which are published, copied, restored and removed as one. They lie in
// LOCAL/NAME/FILE and CACHE/NAME/FILE; a file that is called like its set, in LOCAL/NAME. Names of
// files are relative, each part as a name of a model, with / between the parts. Files that an
// earlier call has brought under this name, and this one does not ask for, stay.
[[nodiscard]] VQCACHE_API_ result try_download_model(
    const std::string& name, const std::vector<named_source>& files, const options& opts = {});
[[nodiscard]] VQCACHE_API_ result try_download_file(
    const std::string& name, const source& from, const options& opts = {});  // a set of one
// What the receipts of the tiers hold under this name, in their order, and no download.
[[nodiscard]] VQCACHE_API_ result try_restore_model(
    const std::string& name, const options& opts = {});
[[nodiscard]] VQCACHE_API_ error try_remove(const std::string& name, const options& opts = {});
#if VQCACHE_EXCEPTIONS_
VQCACHE_API_ model download_vqgan_model(const std::string& name, const source& config,
    const source& checkpoint, const options& opts = {});
VQCACHE_API_ model download_vqgan_model(const std::string& name, const options& opts = {});
VQCACHE_API_ model download_model(
    const std::string& name, const std::vector<named_source>& files, const options& opts = {});
VQCACHE_API_ model download_file(
    const std::string& name, const source& from, const options& opts = {});
VQCACHE_API_ model restore_model(const std::string& name, const options& opts = {});
VQCACHE_API_ void remove(
    const std::string& name, const options& opts = {});  // all of it, both tiers
#endif
// What is held, and looking after it. A value, or the error; the throwing forms throw that.
template <class T>
struct answer {
  T value{};
  vqcache::error error{};

  bool ok() const noexcept { return !error.code(); }

  explicit operator bool() const noexcept { return ok(); }

  const T* operator->() const noexcept { return &value; }
};

struct held_file {
  std::string file;        // as in its set
  std::string sha256;      // by the receipt; empty: none speaks of it
  std::uint64_t size = 0;  // bytes
  bool is_local = false;   // it stands in the local tier, with the size that the receipt tells
  bool is_cached = false;  // the same of the persistent tier
};

struct held_model {
  std::string name;
  std::vector<held_file> files;
  std::string stored;          // when its receipt was written: 2026-11-30T08:15:00Z; empty: none
  std::int64_t last_used = 0;  // seconds since 1970, of the local receipt, or 0

  bool is_local() const { return !files.empty() && all_have(&held_file::is_local); }

  bool is_cached() const { return !files.empty() && all_have(&held_file::is_cached); }

 private:
  bool all_have(bool held_file::* what) const {
    for (const held_file& one : files) {
      if (!(one.*what)) return false;
    }
    return true;
  }
};

// By names, sizes and receipts, in the order of names: no file is read. A directory that is not
// there holds nothing.
[[nodiscard]] VQCACHE_API_ answer<std::vector<held_model>> try_list_models(
    const options& opts = {});

// unvouched: no receipt tells what it has to be.
enum class condition { right, missing, damaged, unreadable, unvouched };

struct checked_file {
  std::string file;              // as in its set
  origin where = origin::local;  // or cache
  std::filesystem::path path;
  condition is = condition::right;
  std::string why;  // for a person, where it is not right
};

struct verification {
  std::string name;
  std::vector<checked_file> files;  // the local ones first

  bool is_whole(origin where) const {  // all of them are there and right
    bool has_any = false;
    for (const checked_file& one : files) {
      if (one.where != where) continue;
      if (one.is != condition::right) return false;
      has_any = true;
    }
    return has_any;
  }

  // Nothing is damaged, and a tier has it whole: the local one may have been wiped.
  bool ok() const {
    for (const checked_file& one : files) {
      if (one.is != condition::right && one.is != condition::missing) return false;
    }
    return is_whole(origin::local) || is_whole(origin::cache);
  }
};

// Reads every byte of both tiers and holds it to the receipts. on_progress is told, and may cancel.
[[nodiscard]] VQCACHE_API_ answer<verification> try_verify_model(
    const std::string& name, const options& opts = {});
// Each file that is not right comes from the other tier, from also_look_in, or else from where its
// receipt says it came from; what it was is put aside. What it is then; an error says what could
// not be mended.
[[nodiscard]] VQCACHE_API_ answer<verification> try_repair_model(
    const std::string& name, const options& opts = {});

struct pruned_model {
  std::string name;
  std::uint64_t bytes = 0;  // that its local files have
  bool is_removed = false;  // they are gone, or would be after a dry run
  std::string why;          // for a person: why they stay, or why they go
};

struct pruning {
  std::vector<pruned_model> models;  // with local files, the least recently used first
  std::uint64_t freed = 0;           // bytes of files that went, or would
  std::uint64_t left = 0;            // bytes of local files that stay
};

// Takes local files away until there are at most so many bytes of them; 0: all that have a copy. A
// model goes as a whole, and only after its copy in cache_dir was read in this call: it is what its
// receipt says, and the local one, or, where neither tier has a receipt, both files are read and
// are equal. also_look_in does not count. What has one tier alone stays: remove() takes it. What
// another call works on stays, too. A dry run reads no copy, and changes nothing. A model that
// cannot go is no error; where a callback ends the call, the value tells what went before.
[[nodiscard]] VQCACHE_API_ answer<pruning> try_prune(
    std::uint64_t max_bytes, bool is_dry_run = false, const options& opts = {});

struct explained_file {
  std::string file;            // as in its set
  std::filesystem::path path;  // of the local file, absolute
  // What a call would do: "use" it as it stands; "hash" it, to see whether it is right; "restore"
  // it from a copy; "download" it; or "fail".
  std::string step;
  std::vector<std::string> why;  // lines for a person: what each place holds, what each URL answers
};

struct explanation {
  std::string name;     // an alias of a published model is resolved
  bool is_hit = false;  // a call would transfer nothing
  std::string summary;  // one line
  std::vector<explained_file> files;
};

// What a call for this name would do, and why, by names, sizes and receipts. Where a file is to be
// downloaded, each URL that is known (where its receipt says that it came from, or the catalogue)
// is asked for one byte, unless the call is offline: one after the other, and on_progress may
// cancel. Nothing is hashed, made, written or said. errc::unknown_model: nothing is known of it.
[[nodiscard]] VQCACHE_API_ answer<explanation> try_explain(
    const std::string& name, const options& opts = {});

struct finding {
  std::string about;  // "transport", "local_dir", ...: the table in chapter 14
  severity how = severity::information;
  std::string said;    // one line for a person
  std::string advice;  // what to do; empty where nothing is
};

// What a call would find here: transport, proxy, certificates, environment, and what each directory
// can do, measured with private files that are gone afterwards. No directory is made, no request is
// sent, also_look_in is not written, and no secret is told. What is wrong is a finding; an error is
// told for wrong options and want of memory alone. It takes a second or less, but where the program
// curl does not answer, 5 s.
[[nodiscard]] VQCACHE_API_ answer<std::vector<finding>> try_doctor(const options& opts = {});
#if VQCACHE_EXCEPTIONS_
VQCACHE_API_ std::vector<held_model> list_models(const options& opts = {});
VQCACHE_API_ verification verify_model(const std::string& name, const options& opts = {});
VQCACHE_API_ verification repair_model(const std::string& name, const options& opts = {});
VQCACHE_API_ pruning prune(
    std::uint64_t max_bytes, bool is_dry_run = false, const options& opts = {});
VQCACHE_API_ explanation explain(const std::string& name, const options& opts = {});
VQCACHE_API_ std::vector<finding> doctor(const options& opts = {});
#endif
struct known_model {
  std::string name;
  std::vector<std::string> aliases;
  source config, checkpoint;
};

VQCACHE_API_ std::vector<known_model> known_models();  // the catalogue
// Sets local_dir and cache_dir, unless they or their variables are set, to where the platform of a
// notebook has its fast and its lasting disk; on_message is told which, why, and if nothing lasts.
VQCACHE_API_ options notebook_options(options opts = {});
// For an application: one tier (keep_copy is false) in this user's own cache folder, as the
// platform has it: $XDG_CACHE_HOME/APP or ~/.cache/APP, ~/Library/Caches/APP, %LOCALAPPDATA%\APP.
// What no name of a model may hold becomes _ in APP.
VQCACHE_API_ options user_options(const std::string& app);
}  // namespace VQCACHE_ABI_
}  // namespace vqcache
#if VQCACHE_HAS_BODIES
// ==== border ==== nothing below is for users, and nothing below is declared ahead ====
//
// ---- the map
//
// A call brings the files of a model to the fast tier and keeps a copy of them in a lasting one.
//
//   download_vqgan_model()
//     upkeep                what the tiers hold: listed, read, mended, removed
//     doctor                what a call would find on this machine, and what to do about it
//     sets                  which files a name and its sources mean
//     call                  looks at the tiers, asks for a plan, carries it out, says what it does
//       plan                a pure function: what is wanted and what the tiers hold, to a step for
//                           each file
//       tier                where finished files lie; directory_tier is one
//       download            one file: its sources, tries and connections       (state machine 1)
//         connection        one request and its answer, through its redirects  (state machine 2)
//         policy            pure functions: what a head asks of us, what follows an attempt
//         checks            pure functions: what the caller gave
//         hub               hf:// addresses: where such a file is, on the web and on this machine
//       partial             the unfinished file, to which all bytes go         (state machine 3)
//         journal           its record on the disk: what a later call needs to continue it
//         worker            hashes and copies behind the writer, on a thread of its own
//         ranges            which bytes are missing
//       transport           one request over libcurl, the program curl or options::fetch
//         process           a program beside us, with three pipes
//       sniff, formats      what a file is by its bytes; what we write beside files
//       http, urls, strings bytes into meaning
//       os                  plain functions, declared once, defined for POSIX and for Windows
//
// Rules that hold everywhere:
//   1. Errors are values: status, or a result_of<T>. Nothing throws but the public functions. What
//      runs in a destructor, on a thread or under libcurl lets no exception out.
//   2. Only partial_file::publish() gives a final name, after seal(). The receipt comes last.
//   3. Callbacks, tiers and transports run on the calling thread. A digest_worker reads files and
//      writes the copy, a sealer ends small files; what they share is under their mutexes, and
//      nothing else is shared.
//   4. A room uses the rooms above it. What decides is pure and has a table of tests; what touches
//      a disk, a network or a clock decides nothing.
//   5. Which system this is, os and process know, and nobody else.
//
// Where do I ...                                      look in
//   add a published model                             catalog: a row (tests/call/names.cpp)
//   change when something is tried again              policy: decide() and what it calls
//   change what an answer is taken for                policy: judge_head() and what it calls
//   refuse or explain what a caller gives             checks
//   add a transport, or an option of one              transport: a class beside the three, pump
//   add a tier                                        tier: a class beside directory_tier
//   add a step to what a call does with a file        plan, then call, which carries it out
//   change what is written beside a file              formats; what 0.1.0 wrote is read for ever
//   teach it what a page or a text looks like         sniff
//   mend something for one system                     os or process: the block of that system
//   change a message or its advice                    where the fault is found; call says the rest
//   have doctor() tell more of this machine           doctor: what it measures, then what it says
//
// One word for one thing:
//   attempt       one try of a source, as the policy sees it
//   authority     who says what bytes must be: a pin, a receipt, or nobody
//   declaration   what a server itself says of the SHA-256 of its file
//   expectation   what bytes must be to get a final name (partial::demand)
//   inventory     what a tier holds of a set, by names, sizes and receipts alone
//   lease         the range of an unfinished file that one connection brings
//   outcome       how an answer ended
//   pin           a SHA-256 that the caller gives
//   receipt       NAME.sha256: what stands in a tier, in the format of sha256sum; written last
//   record        the journal of an unfinished file
//   seal          check, hash and sync an unfinished file; publish: give it its final name
//   set aside     rename a damaged file to FILE.corrupt-XXXXXXXX; sweep: remove what nobody needs
//   source        where one file comes from: URLs or a path
//   tier          a place where finished files lie: the local one, and lasting ones
//
// ==== >>containers ==== a list, a box, an optional and a function of our own ====
//
// Compiling std::vector for one more type costs 25 million instructions (g++ 12), std::unique_ptr
// 27 million, std::optional 10 million, and these 1 to 3: it is more than half of what including
// this file costs. So where the types are ours and many, they are kept in these. They have the few
// members that are used, named as the standard's, with what the standard's promise. A type has a
// default value, and its moves do not throw.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#if VQCACHE_INTERPRETED
#include <iostream>
#endif
#if VQCACHE_USE_LIBCURL
#include <curl/curl.h>
#endif
namespace vqcache {
inline namespace VQCACHE_ABI_ {
namespace detail {
using std::size_t, std::string, std::uint64_t, std::vector;
using view = std::string_view;
namespace fs = std::filesystem;
inline constexpr size_t npos = string::npos;

namespace containers {
template <class T>
class list {
 public:
  list() = default;

  explicit list(size_t size) { resize(size); }

  list(std::initializer_list<T> all) {
    reserve(all.size());
    for (const T& one : all) {
      push_back(one);
    }
  }

  list(const list& other) {
    reserve(other.size_);
    for (const T& one : other) {
      push_back(one);
    }
  }

  list(list&& other) noexcept { swap(other); }

  list& operator=(list other) noexcept {
    swap(other);
    return *this;
  }

  ~list() { delete[] first_; }

  size_t size() const { return size_; }

  bool empty() const { return size_ == 0; }

  T* data() { return first_; }

  T* begin() { return first_; }

  T* end() { return first_ + size_; }

  const T* begin() const { return first_; }

  const T* end() const { return first_ + size_; }

  T& operator[](size_t i) { return first_[i]; }

  const T& operator[](size_t i) const { return first_[i]; }

  T& back() { return first_[size_ - 1]; }

  void reserve(size_t room) {
    if (room <= room_) return;

    T* const more = new T[room]();
    for (size_t i = 0; i < size_; ++i) {
      more[i] = std::move(first_[i]);
    }
    delete[] first_;
    first_ = more;
    room_ = room;
  }

  void push_back(T one) {
    if (size_ == room_) {
      reserve(2 * room_ + 2);
    }
    first_[size_] = std::move(one);
    ++size_;
  }

  void resize(size_t size) {
    reserve(size);
    while (size_ > size) {
      erase_at(size_ - 1);
    }
    size_ = size;
  }

  void insert_at(size_t place, T one) {
    push_back(T());
    for (size_t i = size_ - 1; i > place; --i) {
      first_[i] = std::move(first_[i - 1]);
    }
    first_[place] = std::move(one);
  }

  void erase_at(size_t place) {
    for (size_t i = place + 1; i < size_; ++i) {
      first_[i - 1] = std::move(first_[i]);
    }
    --size_;
    first_[size_] = T();
  }

  void clear() {
    while (size_ > 0) {
      erase_at(size_ - 1);
    }
  }

 private:
  void swap(list& other) noexcept {
    std::swap(first_, other.first_);
    std::swap(size_, other.size_);
    std::swap(room_, other.room_);
  }

  T* first_ = nullptr;
  size_t size_ = 0, room_ = 0;
};

template <class T>
class box {  // an object of its own, or none
 public:
  box() = default;

  box(std::nullptr_t) {}

  explicit box(T* made) : it_(made) {}

  box(box&& other) noexcept : it_(other.release()) {}

  template <class Derived>
  box(box<Derived>&& other) noexcept : it_(other.release()) {}

  box& operator=(box other) noexcept {
    std::swap(it_, other.it_);
    return *this;
  }

  ~box() { delete it_; }

  explicit operator bool() const { return it_ != nullptr; }

  T& operator*() const { return *it_; }

  T* operator->() const { return it_; }

  T* get() const { return it_; }

  T* release() { return std::exchange(it_, nullptr); }

 private:
  T* it_ = nullptr;
};

// A value, or none. While there is none a default one stands in its place.
template <class T>
class optional {
 public:
  optional() = default;

  optional(T value) : value_(std::move(value)), has_value_(true) {}

  explicit operator bool() const { return has_value_; }

  bool has_value() const { return has_value_; }

  T& operator*() { return value_; }

  const T& operator*() const { return value_; }

  T* operator->() { return &value_; }

  const T* operator->() const { return &value_; }

  T value_or(const T& other) const { return has_value_ ? value_ : other; }

  void reset() { *this = optional(); }

  friend bool operator==(const optional& one, const optional& other) {
    if (one.has_value_ != other.has_value_) return false;
    return !one.has_value_ || one.value_ == other.value_;
  }

  friend bool operator!=(const optional& one, const optional& other) { return !(one == other); }

 private:
  T value_{};
  bool has_value_ = false;
};

template <class Signature>
class function {};

// Anything that can be called like this, or nothing.
template <class R, class... Arguments>
class function<R(Arguments...)> {
 public:
  function() = default;

  function(std::nullptr_t) {}

  template <class Called>
  function(Called called) : it_(new held<Called>(std::move(called))) {}

  explicit operator bool() const { return static_cast<bool>(it_); }

  R operator()(Arguments... with) const { return it_->call(with...); }

 private:
  struct callable {
    callable() = default;
    callable(const callable&) = delete;
    callable& operator=(const callable&) = delete;
    virtual ~callable() = default;
    virtual R call(Arguments... with) = 0;
  };

  template <class Called>
  struct held final : callable {
    explicit held(Called one) : called(std::move(one)) {}

    R call(Arguments... with) override { return called(with...); }

    Called called;
  };

  box<callable> it_{};
};
}  // namespace containers

using containers::box, containers::function, containers::list, containers::optional;

// ==== >>error ==== makes or names an error; holds the only throw ====
namespace error {
// ---- what people read

inline bool is_control(char letter) {
  return static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f;
}

inline bool has_control(view text) {  // but for tabs
  for (const char letter : text) {
    if (is_control(letter) && letter != '\t') return true;
  }
  return false;
}

inline string printable(view text) {
  string all(text);
  for (char& letter : all) {
    letter = is_control(letter) ? '?' : letter;
  }
  return all;
}

// Of two-byte to four-byte characters: their first bytes, and what their second bytes may be, which
// excludes overlong forms and surrogates (RFC 3629, section 4).
inline constexpr struct utf8_row {
  unsigned first, last, least, most;
  size_t bytes;
} utf8_rows[] = {{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};

inline size_t utf8_length(view text) {  // of the character at the front; 0: there is none
  const auto byte = [&text](size_t at) {
    return unsigned{static_cast<unsigned char>(text[at])};
  };
  if (text.empty()) return 0;
  if (byte(0) < 0x80) return 1;

  for (const utf8_row& row : utf8_rows) {
    if (byte(0) < row.first || byte(0) > row.last) continue;
    if (text.size() < row.bytes || byte(1) < row.least || byte(1) > row.most) {
      return 0;
    }

    for (size_t at = 2; at < row.bytes; ++at) {
      if ((byte(at) & 0xc0) != 0x80) return 0;
    }
    return row.bytes;
  }
  return 0;
}

// Bytes of others as a text for people: UTF-8 without control characters, each wrong byte a '?',
// and cut where a character ends.
inline string readable(view text, size_t most = npos) {
  string out;

  while (!text.empty()) {
    const size_t length = utf8_length(text);
    // U+0080 to U+009F, which some terminals obey
    const bool is_high_control = length == 2 && text[0] == '\xc2' && (text[1] & 0x60) == 0;
    const bool is_wrong = length == 0 || is_high_control || is_control(text[0]);
    const view character = is_wrong ? view("?") : text.substr(0, length);
    if (out.size() + character.size() > most) break;

    out += character;
    text.remove_prefix((std::max)(length, size_t{1}));
  }
  return out;
}

// ---- texts of parts

inline string shown(const fs::path& p) {
  const auto utf8 = p.u8string();  // path::string() may throw on Windows
  return string(utf8.begin(), utf8.end());
}

// One part of a text: it looks at what it was made from, which lives until the text is made.
class piece {
 public:
  piece(const char* text) : text_(text) {}

  piece(view text) : text_(text) {}

  piece(const string& text) : text_(text) {}

  piece(const fs::path& path) : made_("'" + shown(path) + "'"), text_(made_) {}

  piece(int number) : piece(static_cast<long long>(number)) {}

  piece(long number) : piece(static_cast<long long>(number)) {}

  piece(long long number) : made_(std::to_string(number)), text_(made_) {}

  piece(unsigned number) : piece(static_cast<unsigned long long>(number)) {}

  piece(unsigned long number) : piece(static_cast<unsigned long long>(number)) {}

  piece(unsigned long long number) : made_(std::to_string(number)), text_(made_) {}

  piece(piece&&) = delete;

  view text() const { return text_; }

 private:
  string made_{};
  view text_;
};

// Not a template over its parts: each mixture of their types would be one more function to compile.
inline string join(std::initializer_list<piece> parts) {
  string all;
  for (const piece& part : parts) {
    all += part.text();
  }
  return all;
}

struct [[nodiscard]] status {  // errors are values: this is success, or what failed
  errc code{};
  string text{};                // complete: what, which, why, what to do
  std::error_code cause{};      // of the operating system
  std::exception_ptr thrown{};  // by a callback

  bool ok() const { return code == errc{}; }
};

inline status fail(errc code, std::initializer_list<piece> parts) {
  return {code, join(parts), {}, {}};
}

// A value, or why there is none. `why` is a failure, never a success.
template <class T>
class [[nodiscard]] result_of {
 public:
  result_of(T value) : value_(std::move(value)) {}

  result_of(status why) : why_(std::move(why)) {}

  bool ok() const { return value_.has_value(); }

  T& operator*() { return *value_; }

  T* operator->() { return &*value_; }  // NOLINT(bugprone-unchecked-optional-access): as there

  const status& why() const { return why_; }

 private:
  optional<T> value_{};
  status why_{};
};

inline constexpr const char* no_descriptors =
    "; close files that this program has open, or raise its limit (ulimit -n)";

inline constexpr const char* make_room = "; free some space there, or choose another directory";

inline constexpr const char* allow_larger =
    "; raise the limit of this program (ulimit -f), or choose another file system";

inline status out_of_descriptors() {
  const std::error_code none = std::make_error_code(std::errc::too_many_files_open);
  return {errc::io,
      join({"no descriptor is left for a connection (", none.message(), ")", no_descriptors}), none,
      {}};
}

struct known_cause {  // of a failed file operation, a value of errno
  int is;
  errc code;
  const char* advice;
};

inline const known_cause& cause_of(int e) {
  constexpr const char* get_rights = "; check its permissions, or choose another directory";
  static constexpr known_cause all[] = {{ENOSPC, errc::no_space, make_room},
      {EFBIG, errc::no_space, allow_larger},
#ifdef EDQUOT
      {EDQUOT, errc::no_space, make_room},
#endif
      {EACCES, errc::permission_denied, get_rights}, {EPERM, errc::permission_denied, get_rights},
      {EROFS, errc::permission_denied, "; nothing can be written there: choose another directory"},
      {EMFILE, errc::io, no_descriptors},
      {ENAMETOOLONG, errc::io, "; choose a directory with a shorter path"},
      {ENOTDIR, errc::io, "; a part of that path is a file: move it, or choose another directory"},
      {0, errc::io, ""}};
  for (const known_cause& one : all) {
    if (one.is == e) return one;
  }
  return all[std::size(all) - 1];
}

inline status system(int e, const char* doing, const fs::path& which) {
  if (e == 0) return {};  // e: of errno; doing: "write" and such
  const std::error_code why(e, std::generic_category());
  const known_cause& known = cause_of(e);
  return {
      known.code, join({"cannot ", doing, " ", which, ": ", why.message(), known.advice}), why, {}};
}

// A fault of this machine that says nothing of the bytes on its disk, and may be over in a moment:
// no descriptor, no memory, a scanner that holds a file.
inline bool is_passing(int e) {
  constexpr int all[] = {EMFILE, ENFILE, ENOMEM, EAGAIN, EINTR, EBUSY, EACCES, EPERM, EROFS};
  return std::find(std::begin(all), std::end(all), e) != std::end(all);
}

inline bool is_passing(const status& s) {
  return s.cause && is_passing(s.cause.default_error_condition().value());
}

// Nothing but these functions stops an exception: where one may not pass (a thread, a destructor, a
// callback of C), and where a call ends. None of them throws, whatever the memory is like.
template <class F>
inline bool attempt(const F& f) noexcept {
#if VQCACHE_EXCEPTIONS_
  try {
    f();
  } catch (...) {
    return false;
  }
#else
  f();
#endif
  return true;
}

// short enough for every standard library to keep it in the string itself
inline constexpr const char* no_memory = "out of memory";

inline status out_of_memory() noexcept {
  status s{errc::io, {}, std::make_error_code(std::errc::not_enough_memory), {}};
  (void)attempt([&s] { s.text = no_memory; });
  return s;
}

// a failure of this machine and moment, which tells nothing about a file and may pass
inline bool may_pass(const status& s) {
  return s.cause == std::errc::not_enough_memory || s.cause == std::errc::too_many_files_open
      || s.cause == std::errc::too_many_files_open_in_system;
}

// of an exception that is not a callback's
inline status unexpected(const char* what, std::error_code cause) noexcept {
  status s{errc::io, {}, cause, {}};
  const bool told = attempt([&] { s.text = join({"it failed inside (", what, ")"}); });
  return told ? s : out_of_memory();
}

// What our own f() returns. An exception becomes a failure of this machine: it has a cause, so that
// nobody takes it for a damaged file.
template <class F>
inline status contain(const F& f) noexcept {
#if VQCACHE_EXCEPTIONS_
  const auto odd = std::make_error_code(std::errc::state_not_recoverable);
  try {
    return f();
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  } catch (const std::system_error& e) {
    return unexpected(e.what(), e.code());
  } catch (const std::exception& e) {
    return unexpected(e.what(), odd);
  } catch (...) {
    return unexpected("an exception that is no std::exception", odd);
  }
#else
  return f();
#endif
}

// Calls a user's callback. What it throws is kept, for the throwing form to pass on.
inline status thrown_by(const char* who, const char* how, const char* what) noexcept {
  status s{errc::callback, {}, {}, std::current_exception()};
  if (!attempt([&] { s.text = join({who, " threw an exception", how, what}); })) {
    (void)attempt([&s] { s.text = "callback failed"; });  // short, as above
  }
  return s;
}

template <class F>
inline status guard([[maybe_unused]] const char* who, const F& f) noexcept {
#if VQCACHE_EXCEPTIONS_
  try {
    f();
  } catch (const std::exception& e) {
    return thrown_by(who, ": ", e.what());
  } catch (...) {
    return thrown_by(who, " that is no std::exception", "");
  }
#else
  f();
#endif
  return {};
}

// Making an error allocates, copying one cannot fail: these are made while there is memory.
struct ready_errors {
  vqcache::error none{};
  vqcache::error out_of_memory{
      errc::io, no_memory, std::make_error_code(std::errc::not_enough_memory)};
};

inline const ready_errors& ready() {  // made once, never destroyed
  static const ready_errors& only = *new ready_errors;
  return only;
}

// And if there was none from the start: an empty text needs none in libstdc++. For this moment the
// category gives empty texts, so many threads are about it.
inline std::atomic<int>& wordless() {
  static std::atomic<int> threads{0};
  return threads;
}

inline vqcache::error bare_error() {
  struct moment {
    moment() { ++wordless(); }

    ~moment() { --wordless(); }
  };

  const moment without_words;
  return vqcache::error(errc::io, {}, std::make_error_code(std::errc::not_enough_memory));
}

inline vqcache::error to_error(const status& s) {
  if (s.ok()) return ready().none;  // contained() has made it
#if VQCACHE_EXCEPTIONS_
  try {
    return vqcache::error(s.code, s.text, s.cause);
  } catch (const std::bad_alloc&) {}
  try {
    return ready().out_of_memory;
  } catch (const std::bad_alloc&) {
    return bare_error();
  }
#else
  return vqcache::error(s.code, s.text, s.cause);
#endif
}
#if VQCACHE_EXCEPTIONS_
inline void raise(const vqcache::error& e) {
  if (e.code()) {
    throw e;
  }
}

inline void raise(const status& s) {
  if (s.thrown) {
    std::rethrow_exception(s.thrown);
  }
  if (!s.ok()) {
    raise(to_error(s));
  }
}
#endif
using clock = std::chrono::steady_clock;

class caller {  // the first callback that throws or cancels ends it
 public:
  caller(const options& opts, const string& model) : opts_(&opts), name_(model) {}

  const options& opts() const { return *opts_; }

  const status& stop() const { return stop_; }

  bool stopped() const { return !stop_.ok(); }

  void stop_with(status s) {  // the first one counts
    if (!stopped()) {
      stop_ = std::move(s);
    }
  }

  void go_on() { stop_ = stop_.code == errc::cancelled ? status() : stop_; }  // all is there

  // The files below a folder are called as from there on; else by their own name. With a separator
  // at its end.
  void name_files_from(const string& folder) { folders_.push_back(folder); }

  string called(const string& path) const {
    for (const string& folder : folders_) {
      if (path.compare(0, folder.size(), folder) == 0) {
        return path.substr(folder.size());
      }
    }
    return path.substr(path.find_last_of("/\\") + 1);
  }

  void say(std::initializer_list<piece> line) { send(severity::information, line); }

  void warn(std::initializer_list<piece> line) { send(severity::warning, line); }

  void say_failed(std::initializer_list<piece> line) { send(severity::failure, line); }

  // false: the call is to end. done == total: the last step of this phase of this file.
  bool step(phase what, const string& file, uint64_t done, uint64_t total) {
    if (interrupted_ && !stopped() && interrupted_()) {
      stop_with(fail(errc::interrupted, {"interrupted at ", file}));
    }
    if (stopped() || !opts_->on_progress) return !stopped();

    const auto now = clock::now();
    meter& m = meter_of(what, file, done);
    const bool is_last = total > 0 && done == total;
    const bool is_due = is_last ? !m.has_ended : now - told_ >= least_pause;
    if (m.is_told && !is_due) return true;

    m.is_told = true;
    m.has_ended = is_last;
    told_ = now;
    tell(m, done, total, std::chrono::duration<double>(now - m.began).count());
    return !stopped();
  }

  void watch(function<bool()> f) { interrupted_ = std::move(f); }

 private:
  static constexpr std::chrono::milliseconds least_pause{500};  // between two steps that are told

  struct meter {  // of one phase of one file
    phase what;
    string file;
    clock::time_point began;
    uint64_t base;   // what was done when it began
    bool is_told;    // on_progress knows of it
    bool has_ended;  // and of its last step
  };

  meter& meter_of(phase what, const string& file, uint64_t done) {
    for (meter& known : meters_) {
      if (known.what != what || known.file != file) continue;
      if (done < known.base) {  // it began anew
        known.base = done;
        known.began = clock::now();
      }
      return known;
    }
    meters_.push_back({what, file, clock::now(), done, false, false});
    return meters_.back();
  }

  void send(severity how, std::initializer_list<piece> line) {
    if (!opts_->on_message || stopped()) return;
    const message text(readable(join(line)), how);  // paths may be any bytes
    stop_with(guard("on_message", [&] { opts_->on_message(text); }));
  }

  void tell(const meter& m, uint64_t done, uint64_t total, double seconds) {
    const double rate = seconds > 0 ? double(done - m.base) / seconds : 0;
    const bool is_known = total > 0 && total >= done && rate > 0;
    const double left = is_known ? double(total - done) / rate : -1;
    const progress told{name_, m.file, m.what, done, total, rate, left};

    bool is_wanted = true;
    stop_with(guard("on_progress", [&] { is_wanted = opts_->on_progress(told); }));
    if (!is_wanted) {
      stop_with(fail(errc::cancelled, {"on_progress cancelled at ", m.file}));
    }
  }

  const options* opts_;
  string name_;
  vector<string> folders_{};  // of the set's files
  status stop_{};
  list<meter> meters_{};
  clock::time_point told_{};
  function<bool()> interrupted_{};
};

class category_of_errc final : public std::error_category {
 public:
  const char* name() const noexcept override { return "vqcache"; }

  string message(int code) const override { return wordless() > 0 ? "" : row(code).text; }

  std::error_condition default_error_condition(int code) const noexcept override {
    return std::make_error_condition(row(code).equals);
  }

  // By names, not by addresses: of these objects, and of the standard's with a static libstdc++,
  // a process may have one in each library.
  bool equivalent(int code, const std::error_condition& c) const noexcept override {
    if (is_called(c.category(), name())) return c.value() == code;

    const std::error_condition ours = default_error_condition(code);
    return c.value() == ours.value() && is_called(c.category(), ours.category().name());
  }

  bool equivalent(const std::error_code& code, int value) const noexcept override {
    return code.value() == value && is_called(code.category(), name());
  }

 private:
  static bool is_called(const std::error_category& one, const char* name) noexcept {
    return std::strcmp(one.name(), name) == 0;
  }

  using is = std::errc;

  struct meaning {
    const char* text;
    is equals;
  };

  static meaning row(int code) noexcept {  // in the order of errc
    static constexpr meaning rows[] = {{"no error", is{}},
        {"invalid argument", is::invalid_argument},
        {"unknown model", is::no_such_file_or_directory},
        {"another model has this name", is::file_exists},
        {"directory not found", is::no_such_file_or_directory},
        {"permission denied", is::permission_denied}, {"no space left", is::no_space_on_device},
        {"offline", is::network_down}, {"no transport", is::function_not_supported},
        {"connection failed", is::connection_aborted}, {"TLS failed", is::connection_refused},
        {"HTTP error", is::protocol_error}, {"not the file", is::bad_message},
        {"truncated", is::message_size}, {"digest mismatch", is::illegal_byte_sequence},
        {"a callback failed", is::operation_not_permitted}, {"cancelled", is::operation_canceled},
        {"interrupted", is::interrupted}, {"timed out", is::timed_out},
        {"input/output error", is::io_error}};
    return rows[code > 0 && code < 20 ? code : 0];
  }
};

// Never destroyed, since errors may outlive everything else, and never on the heap, where each
// library that is opened and closed would leave one.
inline const std::error_category& category() noexcept {
  alignas(category_of_errc) static unsigned char place[sizeof(category_of_errc)];
  static const std::error_category* const only =
      ::new (static_cast<void*>(&place[0])) category_of_errc;
  return *only;
}
}  // namespace error

using error::caller, error::clock, error::fail, error::join, error::result_of, error::status;

// ==== >>strings ==== text and numbers: what every room above the bytes has to do with them ====
// What belongs here has no thought of files, networks or disks, and uses nothing but the standard
// library and join(). Bytes may be anybody's: each of these functions takes any.
namespace strings {
inline string lower(std::string_view text) {
  string all(text);
  for (char& letter : all) {
    letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter;
  }
  return all;
}

inline string upper(std::string_view text) {
  string all(text);
  for (char& letter : all) {
    letter = letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 32) : letter;
  }
  return all;
}

inline bool is_letter_or_digit(char byte) {  // of ASCII
  const bool is_letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
  return is_letter || (byte >= '0' && byte <= '9');
}

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != npos;
}

inline bool consists_of(std::string_view text, std::string_view letters) {
  return text.find_first_not_of(letters) == npos;
}

inline bool starts_with(std::string_view text, std::string_view front) {
  return text.substr(0, front.size()) == front;
}

inline bool ends_with(std::string_view text, std::string_view back) {
  return contains(text, back) && text.rfind(back) == text.size() - back.size();
}

inline std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  const size_t last = text.find_last_not_of(" \t\r\n");
  return last == npos ? std::string_view() : text.substr(first, last + 1 - first);
}

// Of a switch in the environment: 0, false, no, off and nothing mean no, anything else means yes.
inline bool means_yes(std::string_view value) {
  const string word = lower(trim(value));
  return !word.empty() && word != "0" && word != "false" && word != "no" && word != "off";
}

// What stands before the next `end`, which is taken off the front of `rest` with it.
inline std::string_view take(std::string_view& rest, char end) {
  const std::string_view front = rest.substr(0, rest.find(end));
  rest.remove_prefix((std::min)(front.size() + 1, rest.size()));
  return front;
}

inline vector<string> words(std::string_view text, char end = ' ') {
  vector<string> all;
  while (!text.empty()) {
    all.emplace_back(take(text, end));
  }
  return all;
}

// Whether the word is one of those in `all`, which begins and ends with a space.
inline bool is_one_of(std::string_view all, std::string_view word) {
  return contains(all, join({" ", word, " "}));
}

// ---- numbers and digests

// Digits alone, and no more than 64 bits hold.
inline optional<uint64_t> parse_number(std::string_view digits, int base = 10) {
  uint64_t number = 0;
  const char* const begin = digits.data();
  const char* const end = begin + digits.size();
  const auto [stopped, problem] = std::from_chars(begin, end, number, base);
  if (problem != std::errc() || stopped != end) return {};
  return number;
}

inline constexpr const char* hex_digits = "0123456789abcdef";

inline constexpr size_t digest_size = 64;  // digits of a SHA-256

inline bool is_digest(std::string_view text) {
  return text.size() == digest_size && consists_of(lower(text), hex_digits);
}

inline string hex(uint64_t number, size_t digits) {
  string text(digits, '0');
  for (size_t at = digits; at-- > 0; number >>= 4) {
    text[at] = hex_digits[number & 15];
  }
  return text;
}

// ---- what people read: errors need it first, and have it

using error::has_control, error::is_control, error::printable, error::readable, error::utf8_length;

// ---- names of models

inline constexpr size_t longest_name = 100;  // bytes

inline bool is_device(std::string_view name) {  // of Windows, whatever its extension
  string stem = lower(name.substr(0, name.find('.')));
  if (stem.size() == 4 && consists_of(stem.substr(3), "0123456789")) {
    stem[3] = '#';
  }
  return is_one_of(" con prn aux nul com# lpt# ", stem);
}

// Why no model can have this name, or empty; the same on every system, for a cache that moves.
inline constexpr const char* name_letters = "abcdefghijklmnopqrstuvwxyz0123456789._-";

inline string name_problem(std::string_view name) {
  if (name.size() > longest_name) {
    return join({"it has ", name.size(), " bytes, at most ", longest_name, " are allowed"});
  }
  if (name.empty()) return "it is empty";
  if (!consists_of(lower(name), name_letters)) {
    return "only letters, digits and . _ - are allowed";
  }
  if (name[0] == '.' || name[0] == '-') {
    return "it begins with . or -";
  }
  if (name.back() == '.') return "it ends in .";
  if (is_device(name)) {
    return "Windows keeps this name for a device";
  }
  return {};
}

inline size_t common_front(std::string_view one, std::string_view other) {  // letters
  const size_t most = (std::min)(one.size(), other.size());
  size_t same = 0;
  while (same < most && one[same] == other[same]) {
    ++same;
  }
  return same;
}

inline size_t common_back(std::string_view one, std::string_view other) {
  const size_t most = (std::min)(one.size(), other.size());
  size_t same = 0;
  while (same < most && one[one.size() - 1 - same] == other[other.size() - 1 - same]) {
    ++same;
  }
  return same;
}

// The other has all of the name, or they differ in one short stretch.
inline bool are_alike(std::string_view name, std::string_view other) {
  constexpr size_t telling = 4;  // letters; fewer are in every second name
  if (name.size() >= telling && contains(other, name)) return true;

  const size_t same = common_front(name, other) + common_back(name, other);
  const size_t tolerated = 2 + name.size() / 6;
  return same + tolerated >= (std::max)(name.size(), other.size());
}
}  // namespace strings

// ==== >>urls ==== addresses: taken apart, resolved, and shown without their secrets ====
// RFC 3986, as far as http needs it. It uses >>strings. What it calls a URL holds no byte that ends
// a line, a quotation or an argument: the transports rely on that.
namespace urls {
struct url {
  string scheme, user, host, port;
  string path;  // with its query; never a fragment

  string origin() const {  // equal for two URLs whose credentials may be shared
    const char* usual = scheme == "https" ? "443" : "80";
    return join({scheme, "://", strings::lower(host), ":", port.empty() ? usual : port});
  }

  string whole() const {
    const char* at = user.empty() ? "" : "@";
    const char* colon = port.empty() ? "" : ":";
    return join({scheme, "://", user, at, host, colon, port, path});
  }
};

inline bool has_scheme(std::string_view address) {
  return strings::contains(address, "://");
}

inline bool is_http(const url& address) {
  return address.scheme == "http" || address.scheme == "https";
}

inline size_t odd_byte(
    std::string_view text) {  // where a byte that no URL has stands; npos: nowhere
  for (size_t at = 0; at < text.size(); ++at) {
    if (strings::is_control(text[at]) || strings::contains(" \"\\", text.substr(at, 1))) {
      return at;
    }
  }
  return npos;
}

// ---- taken apart

inline void read_authority(std::string_view authority, url& into) {  // "user@host:port"
  const size_t at = authority.rfind('@');
  if (at != npos) {
    into.user = authority.substr(0, at);
    authority.remove_prefix(at + 1);
  }

  const size_t port = authority.find(':', authority.rfind(']') + 1);  // not in an IPv6 address
  into.host = authority.substr(0, port);
  if (port != npos) {
    into.port = authority.substr(port + 1);
  }
}

inline bool is_port(std::string_view digits) {
  const optional<uint64_t> number = strings::parse_number(digits);
  return number && *number > 0 && *number < 65536;
}

inline bool is_sound(const url& address) {
  constexpr const char* letters = "abcdefghijklmnopqrstuvwxyz0123456789+.-";
  const string& scheme = address.scheme;
  if (scheme.empty() || !strings::consists_of(scheme, letters)) {
    return false;
  }
  if (address.host.empty() && scheme != "file") return false;
  return address.port.empty() || is_port(address.port);
}

inline optional<url> parse_url(std::string_view text) {
  url parsed;
  parsed.scheme = strings::lower(strings::take(text, ':'));
  if (!strings::starts_with(text, "//") || odd_byte(text) != npos) return {};

  text = text.substr(2, text.find('#') - 2);
  const std::string_view authority = text.substr(0, text.find_first_of("/?"));
  read_authority(authority, parsed);
  parsed.path = text.substr(authority.size());
  if (!strings::starts_with(parsed.path, "/")) {
    parsed.path.insert(0, "/");
  }

  if (!is_sound(parsed)) return {};
  return parsed;
}

// ---- percent-encoding

// What a path or a query may not hold is percent-encoded, byte by byte as browsers do. Control
// characters stay, and are refused.
inline string percent_encoded(std::string_view text) {
  string out;

  for (const char letter : text) {
    const unsigned byte = static_cast<unsigned char>(letter);
    const bool is_odd = byte > 0x7f || strings::contains(" \"\\", {&letter, 1});
    out += is_odd ? join({"%", strings::upper(strings::hex(byte, 2))}) : string(1, letter);
  }
  return out;
}

inline string unescaped(std::string_view text) {  // %20 and its like
  string out;

  while (!text.empty()) {
    optional<uint64_t> byte;
    if (text[0] == '%' && text.size() > 2) {
      byte = strings::parse_number(text.substr(1, 2), 16);
    }
    out += byte ? static_cast<char>(*byte) : text[0];
    text.remove_prefix(byte ? 3 : 1);
  }
  return out;
}

// ---- where a redirect leads

inline bool is_absolute(std::string_view location) {
  return location.find(':') < location.find_first_of("/?");
}

// A Location as a URL, except in its host, where that would mean another one.
inline string escaped(std::string_view location) {
  const size_t scheme_end = is_absolute(location) ? location.find(':') + 1 : 0;
  const bool has_authority = strings::starts_with(location.substr(scheme_end), "//");
  size_t path = 0;
  if (has_authority) {
    path = (std::min)(location.find_first_of("/?", scheme_end + 2), location.size());
  }

  return join({location.substr(0, path), percent_encoded(location.substr(path))});
}

inline string relative_to(const url& base, std::string_view location) {
  const string path = base.path.substr(0, base.path.find('?'));
  url target = base;

  if (strings::starts_with(location, "/")) {
    target.path = location;
  } else if (strings::starts_with(location, "?")) {
    target.path = join({path, location});
  } else if (!location.empty()) {
    target.path = join({path.substr(0, path.rfind('/') + 1), location});
  }
  return target.whole();
}

// Where a Location leads, its dots left to the transport; none: nowhere. It brings no user info.
inline optional<url> resolve(const url& base, std::string_view location) {
  string target = escaped(location.substr(0, location.find('#')));
  if (strings::starts_with(target, "//")) {
    target = join({base.scheme, ":", target});
  } else if (!is_absolute(target)) {
    target = relative_to(base, target);
  }

  optional<url> found = parse_url(target);
  if (!found) return {};
  found->path = percent_encoded(found->path);  // of the base too
  found->user = found->origin() == base.origin() ? base.user : string();
  return found;
}

// ---- what people read, and what they give

// One "name=value" of a query; without a "=" it is all value.
struct parameter {
  std::string_view name, value;
};

inline parameter read_parameter(std::string_view pair) {
  const size_t sign = pair.find('=');
  if (sign == npos) return {{}, pair};
  return {pair.substr(0, sign), pair.substr(sign + 1)};
}

// Whether it has the look of hex or base64, as tokens and signatures have.
inline bool may_be_token(std::string_view value) {
  constexpr size_t shortest = 20;  // bytes; of a Git revision 40
  const bool is_path = value.find_first_of("./") != npos;
  if (!is_path) return value.size() >= shortest;

  size_t run = 0;
  for (const char letter : value) {
    const bool is_plain = strings::is_letter_or_digit(letter);
    run = is_plain ? run + 1 : 0;
    if (run == shortest) return true;
  }
  return false;
}

// Whether people may read a parameter: it names a file, and is a path or a plain word. No address
// and no user info can be written with these letters, nor anything that is encoded twice.
inline bool names_a_file(const parameter& one) {
  constexpr size_t longest = 200;  // bytes, as they stand in the URL
  constexpr const char* letters = "abcdefghijklmnopqrstuvwxyz0123456789/._-+ ~,()";
  constexpr const char* names = " p path filename dl ref rev revision ";
  if (!strings::is_one_of(names, strings::lower(one.name))) {
    return false;
  }
  if (one.value.empty() || one.value.size() >= longest) return false;

  const string meant = unescaped(one.value);
  return strings::consists_of(strings::lower(meant), letters) && !may_be_token(meant);
}

inline constexpr size_t shortest_secret = 4;  // of fewer bytes any text is full

// What nobody may read of a URL, as it stands there: user info, and the values of its query.
inline vector<string> secrets_of(const url& address) {
  std::string_view user = address.user;
  std::string_view query = address.path;
  vector<string> all;

  all.emplace_back(strings::take(user, ':'));
  all.emplace_back(user);
  strings::take(query, '?');
  for (const string& pair : strings::words(query, '&')) {
    const parameter one = read_parameter(pair);
    if (!names_a_file(one)) {
      all.emplace_back(one.value);
    }
  }
  return all;
}

inline bool holds_one_of(const vector<string>& secrets, std::string_view value) {
  const string meant = unescaped(value);
  for (const string& secret : secrets) {
    if (secret.size() < shortest_secret) continue;
    if (strings::contains(value, secret) || strings::contains(meant, unescaped(secret))) {
      return true;
    }
  }
  return false;
}

enum class shown_of_query { names_of_files, nothing };

inline constexpr const char* malformed = "***://*** (malformed)";  // any of it may be a secret

// User info and query values become ***, but for those that name a file; no fragment.
inline string redact(std::string_view text, shown_of_query what = shown_of_query::names_of_files) {
  if (!has_scheme(text)) return string(text);
  optional<url> address = parse_url(text);
  if (!address) return malformed;

  const vector<string> secrets = secrets_of(*address);
  if (!address->user.empty()) {
    address->user = "***";
  }

  std::string_view query = address->path;
  string shown(strings::take(query, '?'));
  const char* mark = "?";
  for (const string& pair : strings::words(query, '&')) {
    const parameter one = read_parameter(pair);
    const bool is_shown = what == shown_of_query::names_of_files && names_a_file(one)
        && !holds_one_of(secrets, one.value);
    const std::string_view hidden = pair.empty() ? "" : "***";
    const std::string_view front = std::string_view(pair).substr(0, pair.size() - one.value.size());
    shown += join({mark, front, is_shown ? one.value : hidden});
    mark = "&";
  }
  address->path = shown;
  return address->whole();
}

// ---- which of two addresses it is

// Whether a parameter signs or authorises a request: it is another one each time, or a secret. Of
// S3 and Google (X-Amz-*, X-Goog-*), CloudFront, Azure (a "shared access signature") and others.
inline bool is_of_access(const parameter& one) {
  constexpr const char* names =
      " signature expires key-pair-id policy sig se sp sv sr st ss srt si sip spr skoid sktid skt "
      "ske sks skv sdd auth authorization jwt pwd pass hmac ";
  constexpr const char* starts[] = {"x-amz-", "x-goog-", "x-oss-"};
  constexpr const char* parts[] = {"token", "signature", "secret", "password", "credential",
      "apikey", "api_key", "api-key", "accesskey", "accessid"};
  const string name = strings::lower(unescaped(one.name));
  if (strings::is_one_of(names, name)) {
    return true;
  }

  for (const char* const start : starts) {
    if (strings::starts_with(name, start)) return true;
  }
  for (const char* const part : parts) {
    if (strings::contains(name, part)) return true;
  }
  return false;
}

// What tells one file from another: no user info, no fragment, and of the query what does not give
// access alone. Empty: it is a path, or malformed.
inline string reduced(std::string_view text) {
  const optional<url> address = has_scheme(text) ? parse_url(text) : optional<url>();
  if (!address) return {};

  std::string_view query = address->path;
  string kept = address->origin();
  kept += strings::take(query, '?');
  const char* mark = "?";
  for (const string& pair : strings::words(query, '&')) {
    if (is_of_access(read_parameter(pair))) continue;
    kept += mark + pair;
    mark = "&";
  }
  return kept;
}

inline string local_path(std::string_view address) {  // of a path or a file:// URL; empty: neither
  constexpr std::string_view scheme = "file://";
  constexpr std::string_view host = "localhost/";
  if (!has_scheme(address)) return string(address);
  if (strings::lower(address.substr(0, scheme.size())) != scheme) return {};

  address.remove_prefix(scheme.size());
  if (strings::lower(address.substr(0, host.size())) == host) {
    address.remove_prefix(host.size() - 1);
  }
  const string path = unescaped(address);
  const bool has_drive = path.size() > 2 && path[0] == '/' && path[2] == ':';  // file:///C:/folder
  return has_drive ? path.substr(1) : path;
}

// A path, taken literally: neither ~ nor # nor a scheme in it means anything.
inline string file_url(const fs::path& path) {
  std::error_code e;
  const fs::path whole = fs::absolute(path, e);
  const auto utf8 = (e ? path : whole).generic_u8string();
  const string name(utf8.begin(), utf8.end());
  string url = strings::starts_with(name, "/") ? "file://" : "file:///";
  for (const char letter : name) {
    const bool is_odd = strings::contains("%#?", {&letter, 1});
    url += is_odd ? join({"%", strings::upper(strings::hex(static_cast<unsigned char>(letter), 2))})
                  : string(1, letter);
  }
  return percent_encoded(url);
}

struct pinned_address {
  std::string_view address;  // without any fragment, if it is a URL
  std::string_view pin;      // as it was given; empty: none
};

// "URL#sha256=HEX". Any other fragment of a URL is dropped, but for a misspelt pin, which is not to
// be overlooked; of a path it is a part of the name.
inline pinned_address split_pin(std::string_view given) {
  constexpr std::string_view mark = "#sha256=";
  const size_t pin = given.find(mark);
  if (pin != npos) {
    const std::string_view digest = given.substr(pin + mark.size());
    return {given.substr(0, pin), digest.empty() ? "(nothing)" : digest};
  }

  const size_t hash = has_scheme(given) ? given.find('#') : npos;
  if (hash == npos) return {given, {}};

  const std::string_view fragment = given.substr(hash + 1);
  const bool is_meant = strings::starts_with(strings::lower(fragment), "sha")
      && fragment.find_first_of("0123456789") < 5;
  return {given.substr(0, hash), is_meant ? fragment : std::string_view()};
}
}  // namespace urls

// ==== >>http ==== headers: those of a request made, those of an answer read once ====
// It uses >>strings and >>urls. The bytes are a stranger's; what cannot be understood is told to be
// so, and never guessed. An answer's headers are parsed once, by read_head(), into a response_head,
// which is all that anybody asks them.
namespace http {
struct header {
  string name;  // in lower case
  string value;
};

using headers = list<header>;

// ---- lines

inline string name_of(std::string_view line) {
  return strings::lower(strings::trim(line.substr(0, line.find(':'))));
}

inline optional<header> parse_header(std::string_view line) {
  constexpr const char* token = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz";
  const size_t colon = line.find(':');
  if (colon == 0 || colon == npos || strings::has_control(strings::trim(line))) return {};

  header parsed{
      strings::lower(line.substr(0, colon)), string(strings::trim(line.substr(colon + 1)))};
  if (!strings::consists_of(parsed.name, token)) return {};
  return parsed;
}

enum class reading { good, ignored, improper };

struct read_line {
  reading how = reading::ignored;
  header what{};  // of a good one
};

// A line that is no header is overlooked, as by curl and browsers, unless it has a control
// character, or is one that tells of the body but for the white space before its colon.
inline read_line read_header(std::string_view line) {
  constexpr const char* weighty =
      " transfer-encoding content-length content-encoding content-range location ";
  if (optional<header> parsed = parse_header(line)) return {reading::good, std::move(*parsed)};

  const bool weighs = strings::contains(line, ":") && strings::is_one_of(weighty, name_of(line));
  const bool is_improper = strings::has_control(line) || weighs;
  return {is_improper ? reading::improper : reading::ignored, {}};
}

// Whether the next line may continue a header line (RFC 9112 5.2): not where there is nothing to
// continue, nor where an address has begun, which no honest server folds.
inline bool may_continue(std::string_view header_line, std::string_view continuation) {
  constexpr std::string_view location = "location:";
  if (header_line.empty()) return false;

  const bool is_address = strings::starts_with(strings::lower(header_line), location);
  if (!is_address || strings::trim(continuation).empty()) {
    return true;
  }
  return strings::trim(header_line.substr(location.size())).empty();
}

inline string unfolded(std::string_view header_line, std::string_view continuation) {
  const std::string_view more = strings::trim(continuation);
  return more.empty() ? string(header_line) : join({header_line, " ", more});
}

inline int status_code(std::string_view line) {  // of "HTTP/1.1 200 OK"; 0: it is no such line
  if (!strings::starts_with(strings::take(line, ' '), "HTTP/")) {
    return 0;
  }

  const optional<uint64_t> code = strings::parse_number(line.substr(0, 3));
  const bool ends_there = line.size() == 3 || (line.size() > 3 && line[3] == ' ');
  const bool is_code = code && *code > 99 && *code < 600;
  return is_code && ends_there ? int(*code) : 0;
}

inline string find(const headers& all, std::string_view name) {  // empty: none says anything
  for (const header& one : all) {
    if (one.name == name && !one.value.empty()) return one.value;
  }
  return {};
}

// ---- headers of a request

// Headers that belong to the transfer itself: with another's value no answer would be understood.
inline bool is_reserved(const header& one) {
  constexpr const char* all =
      " range if-range te transfer-encoding content-length accept-encoding ";
  const bool is_harmless =
      one.name == "accept-encoding" && strings::lower(strings::trim(one.value)) == "identity";
  return strings::is_one_of(all, one.name) && !is_harmless;
}

// Ours, and the user's, of which each takes the place of ours of the same name.
inline vector<string> request_headers(const vector<string>& ours, const vector<string>& users) {
  vector<string> all;

  for (const string& line : ours) {
    const auto has_its_name = [&line](const string& one) {
      return name_of(one) == name_of(line);
    };
    if (std::none_of(users.begin(), users.end(), has_its_name)) {
      all.push_back(line);
    }
  }
  all.insert(all.end(), users.begin(), users.end());
  return all;
}

// ---- codings

// The members of a list in all lines of this name, in lower case, without their parameters.
inline vector<string> list_of(const headers& all, std::string_view name) {
  vector<string> members;

  for (const header& one : all) {
    if (one.name != name) continue;
    for (std::string_view member : strings::words(one.value, ',')) {
      const string token = strings::lower(strings::trim(strings::take(member, ';')));
      if (!token.empty()) {
        members.push_back(token);
      }
    }
  }
  return members;
}

// Codings that change bytes: those of the registry (RFC 9110 8.4.1) and their old names. What else
// stands in a Content-Encoding ("aws-chunked", "none", "utf-8") is a server's mistake about it.
inline constexpr const char* codings =
    " gzip x-gzip compress x-compress deflate br zstd dcb dcz sdch exi aes128gcm pack200-gzip ";

inline string foreign_coding(const vector<string>& content) {  // or empty
  for (const string& one : content) {
    if (strings::is_one_of(codings, one)) return one;
  }
  return {};
}

// The transfer coding that nobody asked for, or empty. "identity", which RFC 9112 has removed, is
// none. What a transport unpacks has another length than what it counts, so only chunked is good.
inline string foreign_transfer(const vector<string>& transfer) {
  bool is_chunked = false;

  for (const string& one : transfer) {
    if (one == "chunked" && is_chunked) return "chunked twice";
    if (one != "chunked" && one != "identity") return one;
    is_chunked = is_chunked || one == "chunked";
  }
  return {};
}

inline string coding_problem(const headers& all) {  // of the answer, or empty
  const string transfer = foreign_transfer(list_of(all, "transfer-encoding"));
  if (!transfer.empty()) {
    return join({"the server used the transfer coding ", transfer, ", and only chunked was asked"});
  }

  const string content = foreign_coding(list_of(all, "content-encoding"));
  if (!content.empty()) {
    return join({"the server encoded the file (", content, ") though identity was asked"});
  }
  return {};
}

// RFC 9112 6.3: chunks override a Content-Length, in whichever line they stand.
inline bool is_chunked(const headers& all) {
  for (const header& one : all) {
    const bool is_coding = one.name == "transfer-encoding";
    if (is_coding && strings::contains(strings::lower(one.value), "chunked")) {
      return true;
    }
  }
  return false;
}

// ---- lengths and ranges

// What the lines of one name tell together.
enum class telling { nothing, readable, malformed };

struct body_length {
  telling how = telling::nothing;
  uint64_t bytes = 0;
};

// One line of them. A proxy may have joined two lines by a comma (RFC 9110 8.6).
inline body_length add_length(body_length before, std::string_view value) {
  constexpr body_length malformed{telling::malformed, 0};
  if (value.empty() || value.back() == ',') return malformed;

  while (!value.empty()) {
    const auto bytes = strings::parse_number(strings::trim(strings::take(value, ',')));
    const bool is_known = before.how == telling::readable;
    if (!bytes || (is_known && *bytes != before.bytes)) {
      return malformed;
    }
    before = {telling::readable, *bytes};
  }
  return before;
}

// Malformed: two lengths, or one that is no number.
inline body_length content_length(const headers& all) {
  body_length found;

  for (const header& one : all) {
    if (one.name == "content-length") {
      found = add_length(found, one.value);
    }
    if (found.how == telling::malformed) return found;
  }
  return is_chunked(all) ? body_length() : found;
}

// What a Content-Range tells (RFC 9110 14.4): "bytes FIRST-LAST/TOTAL", or "bytes FIRST-LAST/*" of
// a server that does not know the total, or "bytes */TOTAL", which serves nothing.
struct content_range {
  uint64_t first = 0, last = 0;  // of an unsatisfied one both are 0
  optional<uint64_t> total;      // none: the end of this part may not be the file's
  bool unsatisfied = false;

  uint64_t size() const { return unsatisfied ? 0 : last - first + 1; }

  bool whole() const { return !unsatisfied && first == 0 && total && *total == last + 1; }
};

using maybe_range = optional<content_range>;

inline maybe_range parse_span(std::string_view span, optional<uint64_t> total) {
  const auto first = strings::parse_number(strings::trim(strings::take(span, '-')));
  const auto last = strings::parse_number(strings::trim(span));
  if (!first || !last || *first > *last) return {};

  const uint64_t end = total ? *total : ~uint64_t{0};
  if (*last >= end) return {};
  return content_range{*first, *last, total, false};
}

inline maybe_range parse_content_range(std::string_view text) {
  text = strings::trim(text);
  if (strings::lower(strings::take(text, ' ')) != "bytes") return {};

  const std::string_view span = strings::trim(strings::take(text, '/'));
  const std::string_view size = strings::trim(text);
  const optional<uint64_t> total = strings::parse_number(size);
  if (!total && size != "*") return {};
  if (span != "*") return parse_span(span, total);
  return total ? maybe_range(content_range{0, 0, total, true}) : maybe_range();
}

// Of all the lines of an answer. None: there is none, or it is malformed, or two contradict each
// other.
inline maybe_range find_content_range(const headers& all) {
  maybe_range found;
  string text;

  for (const header& one : all) {
    if (one.name != "content-range" || one.value.empty()) continue;
    if (found && one.value != text) return {};

    found = parse_content_range(one.value);
    if (!found) return {};
    text = one.value;
  }
  return found;
}

// ---- dates

struct date {  // and time, in UTC
  uint64_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
};

inline uint64_t since_1970(const date& when) {  // seconds; a day that no month has flows over
  const uint64_t year = when.month < 3 ? when.year - 1 : when.year;
  const uint64_t months = (when.month + 9) % 12;  // since March, so that a leap day comes last
  const uint64_t leap_days = year / 4 - year / 100 + year / 400;
  const uint64_t days = year * 365 + leap_days + (months * 153 + 2) / 5 + when.day - 719469;
  return days * 86400 + when.hour * 3600 + when.minute * 60 + when.second;
}

using maybe_time = optional<uint64_t>;

inline uint64_t this_moment() {
  return uint64_t(std::time(nullptr));
}

inline bool is_weekday(std::string_view word) {
  return !word.empty()
      && strings::is_one_of(
          " Mon Tue Wed Thu Fri Sat Sun "
          "Monday Tuesday Wednesday Thursday Friday Saturday Sunday ",
          word);
}

inline uint64_t month_of(std::string_view name) {  // 1 to 12; 0: it is none
  constexpr std::string_view months = " Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec ";
  const size_t at = months.find(join({" ", name, " "}));
  return name.size() == 3 && at != npos ? at / 4 + 1 : 0;
}

inline optional<uint64_t> number_between(uint64_t least, std::string_view text, uint64_t most) {
  const optional<uint64_t> number = strings::parse_number(text);
  if (number && *number >= least && *number <= most) {
    return number;
  }
  return {};
}

// A year of two digits: not more than 50 years ahead (RFC 9110 5.6.7).
inline uint64_t full_year(uint64_t two_digits, uint64_t this_year) {
  const uint64_t latest = this_year + 50;
  return latest - (latest - two_digits) % 100;
}

struct date_words {  // of a date, as they stand there; empty: it is no date
  string day, month, year, time;
  bool may_be_short = false;  // the year, of two digits
};

// The words behind the weekday and its comma. asctime pads a day of one digit by a space.
inline date_words split_date(std::string_view text) {
  const bool has_comma = strings::contains(text, ",");
  const std::string_view weekday = text.substr(0, text.find_first_of(", "));
  string rest(text.substr(weekday.size() + (has_comma ? 1 : 0)));

  constexpr size_t padding = 4;  // behind " Nov"
  if (has_comma) {
    std::replace(rest.begin(), rest.end(), '-', ' ');
  } else if (rest.size() > padding && rest.compare(padding, 2, "  ") == 0) {
    rest.erase(padding, 1);
  }
  if (!is_weekday(weekday) || !strings::starts_with(rest, " ")) return {};

  const vector<string> part = strings::words(std::string_view(rest).substr(1));
  if (has_comma && part.size() == 5 && part[4] == "GMT") {
    return {part[0], part[1], part[2], part[3], true};
  }
  if (!has_comma && part.size() == 4) return {part[1], part[0], part[3], part[2], false};
  return {};
}

inline bool read_time(std::string_view text, date& into) {  // "08:49:37"; a leap second is one
  const auto hour = number_between(0, strings::take(text, ':'), 23);
  const auto minute = number_between(0, strings::take(text, ':'), 59);
  const auto second = number_between(0, text, 60);
  if (!hour || !minute || !second) return false;

  into.hour = *hour;
  into.minute = *minute;
  into.second = *second;
  return true;
}

// The three forms of RFC 9110 5.6.7, as seconds since 1970. Cookies write a fourth, the first with
// dashes. `now` is for the second, whose year has two digits.
//   Sun, 06 Nov 1994 08:49:37 GMT     Sunday, 06-Nov-94 08:49:37 GMT     Sun Nov  6 08:49:37 1994
inline maybe_time http_date(std::string_view text, uint64_t now = this_moment()) {
  constexpr uint64_t seconds_of_a_mean_year = 31556952;
  const date_words words = split_date(text);
  date when;
  const auto day = number_between(1, words.day, 31);
  const auto year = strings::parse_number(words.year);
  when.month = month_of(words.month);
  if (!day || !year || when.month == 0 || !read_time(words.time, when)) return {};

  const bool is_short = words.may_be_short && words.year.size() == 2;
  when.day = *day;
  when.year = is_short ? full_year(*year, 1970 + now / seconds_of_a_mean_year) : *year;
  if (when.year < 1970 || when.year > 9999) return {};
  return since_1970(when);
}

inline bool is_date(std::string_view text) {
  return http_date(text).has_value();
}

inline unsigned retry_after(std::string_view after, std::string_view date) {  // seconds; 0: none
  constexpr uint64_t most = uint64_t{1} << 30;
  optional<uint64_t> seconds = strings::parse_number(after);

  if (!seconds) {
    const maybe_time then = http_date(after);
    const maybe_time now = http_date(date);
    seconds = then && now && *then > *now ? *then - *now : 0;
  }
  return unsigned((std::min)(*seconds, most));
}

// ---- declared digests: what servers say themselves of the SHA-256 of the whole file

struct declaration {
  telling how = telling::nothing;  // malformed: two contradict each other, neither is believed
  string sha256{};                 // of a readable one, in lower case
  string by{};                     // who says so: a header, or "HOST HEADER"; or both that differ
};

// All that was heard along a chain of redirects. What is said first stands, and may be said again;
// of two that differ neither is believed: a hub knows what it links to, and the server behind it
// what it has, but who of them is wrong nobody can tell.
inline declaration together(const declaration& said, const declaration& more) {
  if (said.how == telling::nothing) return more;
  if (more.how == telling::nothing || said.how == telling::malformed) {
    return said;
  }
  if (more.how == telling::readable && more.sha256 == said.sha256) {
    return said;
  }
  return {telling::malformed, {}, join({said.by, ", ", more.by})};
}

// The SHA-256 that these digits are (RFC 4648 4), with or without the '=' behind them; empty: they
// are not exactly 32 bytes.
inline string digest_of_base64(std::string_view text) {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  constexpr size_t length = 43;  // of 256 bits, six in a digit
  constexpr unsigned bits = 6, hex_bits = 4;
  if (text.size() == length + 1 && text.back() == '=') {
    text.remove_suffix(1);
  }
  if (text.size() != length || !strings::consists_of(text, alphabet)) return {};

  string digest;
  uint64_t read = 0;
  unsigned left = 0;  // bits of it that are not written yet
  for (const char digit : text) {
    read = read << bits | alphabet.find(digit);
    left += bits;
    while (left >= hex_bits) {
      left -= hex_bits;
      digest += strings::hex_digits[read >> left & 15];
    }
  }
  return digest;
}

// Of a member of Repr-Digest (RFC 9530 3), a dictionary (RFC 9651 3.2) whose keys are in lower
// case: sha-256=:BASE64:, and parameters behind it.
inline string digest_of_member(std::string_view member) {
  member = strings::trim(member);
  if (strings::take(member, '=') != "sha-256") return {};
  if (!strings::starts_with(member, ":") || member.find(':', 1) == npos) {
    return {};
  }

  member.remove_prefix(1);
  const string digest = digest_of_base64(strings::take(member, ':'));
  const std::string_view behind = strings::trim(member);
  return behind.empty() || behind[0] == ';' ? digest : string();
}

// Of a member of Digest (RFC 3230 4.3.2, which RFC 9530 has replaced): SHA-256=BASE64, any case.
inline string digest_of_instance(std::string_view member) {
  member = strings::trim(member);
  const bool is_ours = strings::lower(strings::take(member, '=')) == "sha-256";
  return is_ours ? digest_of_base64(member) : string();
}

// Of X-Linked-ETag: a strong tag of 64 hex digits is the digest by which git-LFS names a file's
// bytes. One of 40 is a hash of git's own, which is of more than the bytes; a weak one is none.
inline string digest_of_link(std::string_view tag) {
  if (tag.size() != strings::digest_size + 2) return {};

  const std::string_view digest = tag.substr(1, strings::digest_size);
  const bool is_quoted = tag.front() == '"' && tag.back() == '"';
  const bool is_digest = is_quoted && strings::is_digest(digest);
  return is_digest ? strings::lower(digest) : string();
}

// Whether a checksum of S3 is of all the object. A composite one, of an upload in parts, is a hash
// of hashes: "-N" behind it or its type tells that. The answer to a range may have that of a part,
// or a composite one without its "-N", and nothing but the type excludes both.
inline bool is_of_object(int code, const headers& all) {
  const string type = find(all, "x-amz-checksum-type");
  return type == "FULL_OBJECT" || (type.empty() && code == 200);
}

// The digests that a header declares of the whole file; empty ones are none.
inline vector<string> digests_in(const header& one) {
  vector<string> digests;
  if (one.name == "x-linked-etag") {
    digests.push_back(digest_of_link(one.value));
  }
  if (one.name == "x-amz-checksum-sha256") {
    digests.push_back(digest_of_base64(one.value));
  }
  if (one.name != "repr-digest" && one.name != "digest") return digests;

  const bool is_dictionary = one.name == "repr-digest";
  for (const string& member : strings::words(one.value, ',')) {
    digests.push_back(is_dictionary ? digest_of_member(member) : digest_of_instance(member));
  }
  return digests;
}

// What one answer declares. A redirect speaks of the file that it leads to by X-Linked-ETag alone:
// the digests of RFC 9530 are then of its own page. So are all those of an error. Content-Digest
// is of the bytes of one message, which may be a part, and is not looked at.
inline declaration declared_by(int code, const headers& all) {
  const bool is_file = code == 200 || code == 206;
  const bool is_redirect = code >= 300 && code < 400;
  declaration said;

  for (const header& one : all) {
    const bool is_of_link = one.name == "x-linked-etag" && (is_file || is_redirect);
    const bool is_of_part = one.name == "x-amz-checksum-sha256" && !is_of_object(code, all);
    if (!is_of_link && (!is_file || is_of_part)) continue;

    for (const string& digest : digests_in(one)) {
      if (!digest.empty()) {
        said = together(said, {telling::readable, digest, one.name});
      }
    }
  }
  return said;
}

// ---- the head of an answer

// The ETag unless weak (Seafile's has no quotes), else a date a minute old (RFC 9110 8.8.2.2).
inline string validator(const headers& all) {
  constexpr uint64_t grown_up = 60;  // seconds
  const string tag = find(all, "etag");
  if (!tag.empty() && !strings::starts_with(tag, "W/")) {
    return strings::printable(tag);
  }

  const string changed = find(all, "last-modified");
  const maybe_time then = http_date(changed);
  const maybe_time sent = http_date(find(all, "date"));
  return then && sent && *sent >= *then + grown_up ? changed : string();
}

// All that is ever asked of a head, parsed once. Of what people may read no control character is
// left. Empty: the answer does not say.
struct response_head {
  int code = 0;
  string location{};
  string content_type{}, etag{}, last_modified{};
  string validator{};  // the ETag or the date, if it is as good as a digest
  bool has_transfer_coding = false;
  bool is_chunked = false;
  telling length_header = telling::nothing;  // chunks override it: then it tells nothing
  optional<uint64_t> content_length{};
  telling range_header = telling::nothing;  // malformed: or two contradict each other
  maybe_range range{};
  bool accepts_ranges = true;  // false: it says that it does not
  unsigned retry_after_seconds = 0;
  string coding_problem{};       // why its bytes are not the file's
  declaration declared{};        // the SHA-256 of the whole file
  vector<string> set_cookies{};  // the values; secrets of the server's
};

inline response_head read_head(int code, const headers& all) {
  response_head head;
  head.code = code;
  head.location = find(all, "location");
  head.content_type = strings::printable(find(all, "content-type"));
  head.etag = strings::printable(find(all, "etag"));
  head.last_modified = strings::printable(find(all, "last-modified"));
  head.validator = validator(all);

  const body_length length = content_length(all);
  head.has_transfer_coding = !find(all, "transfer-encoding").empty();
  head.is_chunked = is_chunked(all);
  head.length_header = length.how;
  if (length.how == telling::readable) {
    head.content_length = length.bytes;
  }

  head.range = find_content_range(all);
  if (!find(all, "content-range").empty()) {
    head.range_header = head.range ? telling::readable : telling::malformed;
  }

  head.accepts_ranges = find(all, "accept-ranges") != "none";
  head.retry_after_seconds = retry_after(find(all, "retry-after"), find(all, "date"));
  head.coding_problem = coding_problem(all);
  head.declared = declared_by(code, all);
  for (const header& one : all) {
    if (one.name == "set-cookie") {
      head.set_cookies.push_back(one.value);
    }
  }
  return head;
}

// ---- cookies

// What a redirect's Set-Cookie left, for the rest of that chain of redirects and no longer
// (RFC 6265). Values are secrets of the server's.
struct cookie {
  string name{}, value{};
  string host{}, port{};    // whose it is; a host on another port may be another's
  string path{};            // where it is sent to, and below
  bool subdomains = false;  // of host too
  bool secure = false;      // over https only
};

using cookies = list<cookie>;

// more than any login needs (browsers keep 50 of 4096 bytes for a host, RFC 6265 6.1)
enum : size_t { most_cookies = 50, cookie_size = 4096, cookies_size = 16384 };

inline string own_port(const urls::url& address) {  // empty: the usual one of its scheme
  const char* usual = address.scheme == "https" ? "443" : "80";
  return address.port == usual ? string() : address.port;
}

inline string bare_path(const urls::url& address) {
  return address.path.substr(0, address.path.find('?'));
}

inline bool is_below(std::string_view host, std::string_view domain) {
  return strings::ends_with(host, join({".", domain}));
}

// A host may share a cookie with its siblings, but not with all of a registry: without the list of
// public suffixes that is a domain of two labels or more, and of three below those like "co.uk".
inline bool may_share(std::string_view host, std::string_view domain) {
  const size_t dot = domain.rfind('.');
  const bool is_address = strings::contains(host, ":") || strings::consists_of(host, "0123456789.");
  if (is_address || dot == npos || dot == 0) return false;

  const std::string_view name = domain.substr(0, dot), top = domain.substr(dot + 1);
  const bool is_registry = !strings::contains(name, ".") && name.size() <= 3 && top.size() == 2;
  return !is_registry && (host == domain || is_below(host, domain));
}

// "/a" covers "/a" and "/a/b", not "/ab" (RFC 6265 5.1.4)
inline bool covers(std::string_view folder, std::string_view path) {
  if (!strings::starts_with(path, folder)) return false;
  if (path.size() == folder.size() || strings::ends_with(folder, "/")) {
    return true;
  }
  return path[folder.size()] == '/';
}

inline bool has_gone(
    std::string_view age, std::string_view expires, uint64_t now) {  // Max-Age wins
  if (!age.empty()) {
    return age[0] == '-' || strings::parse_number(age).value_or(uint64_t{1}) == 0;
  }

  const maybe_time then = http_date(expires, now);
  return then && *then <= now;
}

struct cookie_attributes {
  string domain{}, path{}, age{}, expires{};
  bool secure = false;
};

inline cookie_attributes attributes_of(std::string_view rest) {  // what stands behind the first ';'
  cookie_attributes all;

  for (std::string_view one : strings::words(rest, ';')) {
    const string key = strings::lower(strings::trim(strings::take(one, '=')));
    const std::string_view value = strings::trim(one);
    if (key == "domain") {
      all.domain = strings::lower(value.substr(strings::starts_with(value, ".") ? 1 : 0));
    }
    if (key == "path") {
      all.path = value;
    }
    if (key == "max-age") {
      all.age = value;
    }
    if (key == "expires") {
      all.expires = value;
    }
    if (key == "secure") {
      all.secure = true;
    }
  }
  return all;
}

// A host's cookie is for that host, or for a domain that it may share it with.
inline bool may_set(const urls::url& at, const cookie_attributes& said) {
  const string host = strings::lower(at.host);
  if (said.secure && at.scheme != "https") return false;
  return said.domain.empty() || said.domain == host || may_share(host, said.domain);
}

// The cookie that `at` sets by this pair; without a name it is none.
inline cookie make_cookie(
    const urls::url& at, std::string_view pair, const cookie_attributes& said) {
  if (!strings::contains(pair, "=")) return {};

  const string host = strings::lower(at.host);
  const string path = bare_path(at);
  cookie made;
  made.name = strings::trim(strings::take(pair, '='));
  made.value = strings::trim(pair);
  made.port = own_port(at);
  made.path = path.substr(0, (std::max)(path.rfind('/'), size_t{1}));
  if (strings::starts_with(said.path, "/")) {
    made.path = said.path;
  }
  made.subdomains = !said.domain.empty() && may_share(host, said.domain);
  made.host = made.subdomains ? said.domain : host;
  made.secure = said.secure;
  return made;
}

inline bool is_same_cookie(const cookie& one, const cookie& other) {
  return one.name == other.name && one.host == other.host && one.port == other.port
      && one.path == other.path;
}

// Takes one Set-Cookie of an answer from `at`, or takes away the one that it ends.
inline void take_cookie(
    cookies& jar, const urls::url& at, std::string_view line, uint64_t now = this_moment()) {
  if (line.size() > cookie_size || strings::contains(line, "\t")) {
    return;
  }

  const std::string_view pair = strings::take(line, ';');
  const cookie_attributes said = attributes_of(line);
  cookie made = make_cookie(at, pair, said);
  if (made.name.empty() || !may_set(at, said)) return;

  for (size_t i = jar.size(); i-- > 0;) {
    if (is_same_cookie(jar[i], made)) {
      jar.erase_at(i);
    }
  }
  if (has_gone(said.age, said.expires, now) || jar.size() >= most_cookies) {
    return;
  }
  jar.push_back(std::move(made));
}

inline bool goes_to(const cookie& one, const urls::url& to) {
  const string host = strings::lower(to.host);
  const bool is_its_host = one.host == host || (one.subdomains && is_below(host, one.host));
  const bool is_allowed = !one.secure || to.scheme == "https";
  return is_its_host && is_allowed && one.port == own_port(to) && covers(one.path, bare_path(to));
}

// Those that go to an address, the one with the longest path first.
inline list<const cookie*> cookies_for(const urls::url& to, const cookies& jar) {
  list<const cookie*> fitting;
  for (const cookie& one : jar) {
    if (!goes_to(one, to)) continue;

    size_t place = 0;
    while (place < fitting.size() && fitting[place]->path.size() >= one.path.size()) {
      ++place;
    }
    fitting.insert_at(place, &one);
  }
  return fitting;
}

inline bool has_name(const list<const cookie*>& all, std::string_view name) {
  for (const cookie* one : all) {
    if (one->name == name) return true;
  }
  return false;
}

// The pairs of the user's own Cookie lines that no cookie of a server's replaces.
inline vector<string> own_pairs(const vector<string>& lines, const list<const cookie*>& servers) {
  vector<string> pairs;

  for (const string& line : lines) {
    if (name_of(line) != "cookie") continue;
    for (const std::string_view pair :
        strings::words(std::string_view(line).substr(line.find(':') + 1), ';')) {
      const std::string_view name = strings::trim(pair.substr(0, pair.find('=')));
      if (!has_name(servers, name)) {
        pairs.emplace_back(strings::trim(pair));
      }
    }
  }
  return pairs;
}

// The headers of a request to `to`, with the jar's cookies behind the user's own in one Cookie. A
// server that sets a name anew means its own value.
inline vector<string> with_cookies(
    const vector<string>& lines, const cookies& jar, const urls::url& to) {
  const list<const cookie*> servers = cookies_for(to, jar);
  if (servers.empty()) return lines;

  vector<string> pairs = own_pairs(lines, servers);
  for (const cookie* one : servers) {
    pairs.push_back(join({one->name, "=", one->value}));
  }

  string sent;
  for (const string& pair : pairs) {
    const string separated = join({sent.empty() ? "" : "; ", pair});
    if (sent.size() + separated.size() <= cookies_size) {
      sent += separated;
    }
  }

  vector<string> all;
  for (const string& line : lines) {
    if (name_of(line) != "cookie") {
      all.push_back(line);
    }
  }
  all.push_back("Cookie: " + sent);
  return all;
}

// ---- secrets

// What scrub() has to hide: the user's headers, and what servers gave.
inline vector<string> secret_lines(const vector<string>& lines, const cookies& jar) {
  vector<string> all = lines;
  for (const cookie& one : jar) {
    all.push_back(join({"Cookie: ", one.name, "=", one.value}));
  }
  return all;
}

inline bool hold_credentials(const vector<string>& header_lines) {  // by their names
  for (const string& line : header_lines) {
    const string name = name_of(line);
    for (const char* part : {"auth", "cookie", "token", "key"}) {
      if (strings::contains(name, part)) return true;
    }
  }
  return false;
}

inline vector<string> secrets_of_header(std::string_view line) {  // its words, a cookie's value
  vector<string> all;

  strings::take(line, ':');
  for (const std::string_view word : strings::words(strings::trim(line))) {
    const std::string_view pair = strings::trim(word.substr(0, word.find(';')));
    const size_t name_end = (std::min)(pair.find('='), pair.size() - 1);
    all.emplace_back(strings::trim(word));
    all.emplace_back(pair);
    all.emplace_back(pair.substr(name_end + 1));
  }
  return all;
}

// All that a server may repeat: as it was sent, decoded, and as it would be shown. The longest come
// first, for one may hold another.
inline vector<string> secrets_of(std::string_view address, const vector<string>& header_lines) {
  vector<string> all = urls::secrets_of(urls::parse_url(address).value_or(urls::url()));
  for (const string& line : header_lines) {
    for (string& secret : secrets_of_header(line)) {
      all.push_back(std::move(secret));
    }
  }

  const size_t sent = all.size();
  for (size_t at = 0; at < sent; ++at) {
    all.push_back(urls::unescaped(all[at]));
  }
  const size_t decoded = all.size();
  for (size_t at = 0; at < decoded; ++at) {
    all.push_back(strings::readable(all[at]));
  }

  std::sort(all.begin(), all.end(),
      [](const string& one, const string& other) { return one.size() > other.size(); });
  return all;
}

inline constexpr std::string_view stars = "***";

// Replaces the first `size` bytes of `part` wherever all of it stands.
inline void hide(string& said, const string& part, size_t size) {
  if (size < urls::shortest_secret) return;
  size_t at = said.find(part);
  while (at != npos) {
    said.replace(at, size, stars);
    at = said.find(part, at + stars.size());
  }
}

inline void hide_user_info(string& said) {  // of any URL, that of a proxy perhaps
  size_t at = said.find('@');
  while (at != npos) {
    const size_t from = said.find_last_of(" /'\"(", at) + 1;
    said.replace(from, at - from, stars);
    at = said.find('@', from + 4);
  }
}

inline void hide_credentials(string& said) {  // of an Authorization
  for (const char* scheme : {"asic ", "earer "}) {
    const size_t at = said.find(scheme);
    if (at == npos) continue;
    const size_t from = said.find(' ', at) + 1;
    said.replace(from, said.find_first_of(" \"", from) - from, stars);
  }
}

// As a whole, or cut by a quotation.
inline void hide_all(string& said, const vector<string>& secrets) {
  for (const string& secret : secrets) {
    hide(said, secret, secret.size());
  }
  for (const string& secret : secrets) {
    for (size_t size = secret.size(); size-- > urls::shortest_secret;) {
      hide(said, secret.substr(0, size) + '"', size);
    }
  }
}

// What a server repeats of user info, query and headers, decoded or cut by a quotation, is ***.
inline string scrub(string said, std::string_view address, const vector<string>& header_lines) {
  const vector<string> secrets = secrets_of(address, header_lines);
  hide_all(said, secrets);
  hide_user_info(said);
  hide_credentials(said);

  // A byte that is made readable may complete what looks like a secret, if only by chance.
  string shown = strings::readable(said);
  vector<string> readable_secrets;
  for (const string& secret : secrets) {
    if (strings::readable(secret) == secret) {
      readable_secrets.push_back(secret);
    }
  }
  hide_all(shown, readable_secrets);
  return shown;
}
}  // namespace http

// ==== >>formats ==== what we write beside the files: receipts, and records of unfinished ones ====
// Both are lines of text, written and read here and nowhere else. They use >>strings. What 0.1.0
// wrote is read for ever; lines and words that nobody knows are overlooked, and a record or receipt
// that was cut, or is garbage, says less but nothing wrong.
namespace formats {
// ---- the receipt, in the format of sha256sum: "DIGEST  FILE"; facts: "# KEY VALUE FILE"

struct entry {
  string file{}, sha256{}, origin{}, etag{};
  uint64_t size = 0;  // 0: not told
  bool unverified = false;
  string address{};  // a digest of the origin, which tells it from others; empty: of a path, or old
  string declared{};        // "DIGEST HOST HEADER": its server said so itself, and it held
  list<uint64_t> blocks{};  // the XXH64 of each block, or none: see has_blocks()
};

using receipt = list<entry>;

inline constexpr size_t most_files = 20000;                  // in a set
inline constexpr size_t largest_receipt = most_files * 800;  // bytes; a line has some 300

enum : size_t { block_size = 8 << 20 };  // that a receipt has a checksum of

inline constexpr size_t sums_in_line = 64;

inline uint64_t count_of_blocks(uint64_t size) {
  return size / block_size + (size % block_size != 0 ? 1 : 0);
}

// Whether all its blocks have a checksum. A file of one block has none: its digest says as much.
inline bool has_blocks(const entry& one) {
  return one.size > block_size && one.blocks.size() == count_of_blocks(one.size);
}

inline const entry* find(const receipt& all, std::string_view file) {
  for (const entry& one : all) {
    if (one.file == file) return &one;
  }
  return nullptr;
}

// "# blocks xxh64 8388608 FIRST SUM SUM ... FILE", where FIRST is the number of its first block.
inline string write_blocks(const entry& one) {
  string text;
  for (size_t first = 0; first < one.blocks.size(); first += sums_in_line) {
    text += join({"# blocks xxh64 ", uint64_t{block_size}, " ", first, " "});
    const size_t end = (std::min)(first + sums_in_line, one.blocks.size());
    for (size_t i = first; i < end; ++i) {
      text += strings::hex(one.blocks[i], 16) + " ";
    }
    text += one.file + "\n";
  }
  return text;
}

// Those of all files, in so many bytes: where they would be too many, files do without.
inline string write_blocks(const receipt& all, size_t most) {
  string text;
  for (const entry& one : all) {
    const string more = has_blocks(one) ? write_blocks(one) : string();
    if (text.size() + more.size() <= most) {
      text += more;
    }
  }
  return text;
}

inline string write_receipt(const receipt& all, const string& date) {
  string facts = join({"# vqcache 0.2.0 ", date, "\n"});
  string digests;

  for (const entry& one : all) {
    const string& file = one.file;
    if (one.size != 0) {
      facts += join({"# size ", one.size, " ", file, "\n"});
    }
    if (!one.origin.empty()) {
      facts += join({"# origin ", strings::printable(one.origin), " ", file, "\n"});
    }
    if (!one.address.empty()) {
      facts += join({"# address ", one.address, " ", file, "\n"});
    }
    if (!one.etag.empty()) {
      facts += join({"# etag ", strings::printable(one.etag), " ", file, "\n"});
    }
    if (!one.sha256.empty() && strings::starts_with(one.declared, one.sha256)) {
      facts += join({"# declared ", strings::printable(one.declared), " ", file, "\n"});
    }
    if (one.unverified) {
      facts += join({"# unverified ", file, "\n"});
    }
    digests += join({one.sha256, "  ", file, "\n"});
  }

  string text = facts + digests;
  constexpr size_t most = largest_receipt / 2;
  text += write_blocks(all, most - (std::min)(most, text.size()));  // last: a cut takes them first
  return text;
}

inline entry& entry_of(receipt& all, std::string_view file) {  // a new one if there is none
  const auto is_its = [file](const entry& one) {
    return one.file == file;
  };
  const auto known = std::find_if(all.begin(), all.end(), is_its);
  if (known != all.end()) return *known;

  all.push_back(entry());
  all.back().file = file;
  return all.back();
}

inline void read_digest(receipt& into, std::string_view line) {  // the first of a file counts
  constexpr size_t file_at = strings::digest_size + 2;           // a space, and one more or a '*'
  const std::string_view digest = line.substr(0, strings::digest_size);
  if (!strings::is_digest(digest) || line.size() <= file_at) {
    return;
  }
  if (line[strings::digest_size] != ' ') return;

  entry& its = entry_of(into, line.substr(file_at));
  if (its.sha256.empty()) {
    its.sha256 = strings::lower(digest);
  }
}

// A line counts that continues those before it; where one is missing or odd, too few blocks remain.
inline void read_blocks(entry& into, std::string_view words) {
  if (strings::take(words, ' ') != "xxh64") return;
  if (strings::parse_number(strings::take(words, ' ')) != uint64_t{block_size}) return;
  if (strings::parse_number(strings::take(words, ' ')) != uint64_t{into.blocks.size()}) return;

  while (!words.empty()) {
    const std::string_view digits = strings::take(words, ' ');
    const optional<uint64_t> sum = strings::parse_number(digits, 16);
    if (!sum || digits.size() != 16) return;
    into.blocks.push_back(*sum);
  }
}

inline void read_fact(receipt& into, std::string_view line) {
  const std::string_view file = line.substr(line.rfind(' ') + 1);
  std::string_view words = line.substr(0, line.size() - file.size());
  if (strings::take(words, ' ') != "#") return;

  const std::string_view key = strings::take(words, ' ');
  const std::string_view value = words.substr(0, words.rfind(' '));
  // a receipt that was cut may lack the digest of a file whose size it has
  if (!find(into, file) && key != "size") return;

  entry& its = entry_of(into, file);
  if (key == "size") {
    its.size = strings::parse_number(value).value_or(its.size);
  }
  if (key == "origin") {
    its.origin = value;
  }
  if (key == "address") {
    its.address = value;
  }
  if (key == "etag") {
    its.etag = value;
  }
  if (key == "declared") {
    its.declared = value;
  }
  if (key == "unverified") {
    its.unverified = true;
  }
  if (key == "blocks") {
    read_blocks(its, value);
  }
}

// When it was written: the first line is "# vqcache VERSION DATE". Empty: that is not told.
inline string date_of(std::string_view text) {
  std::string_view line = strings::trim(strings::take(text, '\n'));
  for (const char* const word : {"#", "vqcache"}) {
    if (strings::take(line, ' ') != word) return {};
  }
  strings::take(line, ' ');
  return string(line);
}

inline receipt read_receipt(std::string_view text) {  // facts may stand before or behind digests
  receipt all;
  for (std::string_view rest = text; !rest.empty();) {
    read_digest(all, strings::trim(strings::take(rest, '\n')));
  }
  for (std::string_view rest = text; !rest.empty();) {
    read_fact(all, strings::trim(strings::take(rest, '\n')));
  }
  return all;
}

// ---- sets of ranges: "10-20 50-"

enum : uint64_t { endless = ~uint64_t{0} };

struct range {
  uint64_t at = 0, end = endless;
};

using ranges = vector<range>;

inline constexpr size_t ranges_size = 1360;  // bytes: a line is padded, to be written over

inline string write_ranges(const ranges& all) {
  string text;
  for (const range& one : all) {
    text += join({one.at, "-", one.end == endless ? "" : join({one.end}), " "});
  }
  text.resize((std::max)(text.size(), ranges_size), ' ');
  return text;
}

inline ranges read_ranges(std::string_view text) {  // malformed: the whole file
  ranges all;
  uint64_t least = 0;
  text = strings::trim(text);

  while (!text.empty()) {
    std::string_view one = strings::take(text, ' ');
    const auto at = strings::parse_number(strings::take(one, '-'));
    optional<uint64_t> end = uint64_t{endless};
    if (!one.empty()) {
      end = strings::parse_number(one);
    }
    if (!at || !end || *at < least || *end < *at) return {range()};

    all.push_back({*at, *end});
    least = *end;
  }
  return all;
}

// ---- the record beside an unfinished file

// Which file an unfinished one is to become: without a digest or a validator none is continued.
struct identity {
  string pin{};        // the digest of the whole file
  string url{};        // the SHA-256 of its URL, which may itself hold secrets
  string validator{};  // of the server's file
  uint64_t total = 0;  // bytes, 0: not known
  string declared{};   // the digest of the whole file, as its server says
  string declared_by{};

  bool usable() const { return !pin.empty() || !validator.empty() || !declared.empty(); }
};

struct record {  // whose, of what, what is to come
  string owner{};
  identity id{};
  ranges todo{};          // what has not come; empty: what the file's size lacks
  ranges safe{};          // what a power cut may have taken, or has not come
  bool released = false;  // by a call that ended without the whole file
};

inline void read_record_line(record& into, std::string_view line) {
  const std::string_view key = strings::take(line, ' ');
  identity& id = into.id;
  if (key == "pin" && strings::is_digest(line)) {
    id.pin = line;
  }
  if (key == "url") {
    id.url = line;
  }
  if (key == "validator") {
    id.validator = line;
  }
  if (key == "declared" && strings::is_digest(line.substr(0, line.find(' ')))) {
    id.declared = strings::take(line, ' ');
    id.declared_by = line;
  }
  if (key == "total") {
    id.total = strings::parse_number(line).value_or(id.total);
  }
  if (key == "todo") {
    into.todo = read_ranges(line);
  }
  if (key == "safe") {
    into.safe = read_ranges(line);
  }
  if (key == "released") {
    into.released = true;
  }
}

inline ranges cut_at(ranges all, uint64_t total) {  // nothing may reach beyond the file
  if (total == 0 || all.empty()) return all;
  if (all.back().at > total) all = {range()};
  all.back().end = (std::min)(all.back().end, total);
  return all;
}

inline record read_record(std::string_view text) {
  record all;
  all.owner = strings::trim(strings::take(text, '\n'));
  all.safe = {range()};

  while (strings::contains(text, "\n")) {  // a line without its end is not whole
    read_record_line(all, strings::take(text, '\n'));
  }
  all.todo = cut_at(std::move(all.todo), all.id.total);
  all.safe = cut_at(std::move(all.safe), all.id.total);
  return all;
}
}  // namespace formats

// ==== >>sniff ==== what a file is by its first and last bytes, where no digest tells ====
// A server that cannot give the file gives a page, an answer or a text instead. What is found is
// said in words for a person, or nothing is said. It uses >>strings. No doubt is held against a
// file: what may be the one that is wanted is taken for it.
namespace sniff {
// text, binary: the config and the checkpoint of a VQGAN, and weights of other models. any: what is
// no page and no answer of a server. document: what may be a page itself.
enum class kind { text, binary, any, document };

// Of a file in a set, by its extension.
inline kind kind_of(std::string_view file) {
  constexpr const char* weights =
      " bin ggml gguf h5 msgpack npy npz onnx pb pickle pkl pt pth safetensors tflite ";
  constexpr const char* documents = " htm html md rst svg txt xhtml xml ";
  const string name = strings::lower(file.substr(file.rfind('/') + 1));
  const size_t dot = name.rfind('.');
  if (dot == npos) return kind::any;

  const std::string_view extension = std::string_view(name).substr(dot + 1);
  if (strings::is_one_of(weights, extension)) return kind::binary;
  return strings::is_one_of(documents, extension) ? kind::document : kind::any;
}

inline constexpr size_t short_text = 4096;  // bytes; no checkpoint is so short and all text

// A file as far as it was looked at. size: of the whole file; 0: more may come than the head has.
struct specimen {
  kind want = kind::binary;
  std::string_view head{};
  uint64_t size = 0;
  std::string_view content_type{};

  bool is_whole() const { return size != 0 && size == head.size(); }
};

// ---- words for people

// Where reading goes on behind the tag that stands at `at`, and what it hides; npos: nowhere.
inline size_t end_of_tag(const string& lower_page, size_t at) {
  for (const string hidden : {"script", "style"}) {
    if (lower_page.compare(at + 1, hidden.size(), hidden) == 0) {
      at = lower_page.find(join({"</", hidden}), at);
    }
  }
  return lower_page.find('>', at);
}

inline string first_words(std::string_view page) {  // a person would see: no tags, scripts, styles
  constexpr size_t most = 160, enough = most + 4;   // bytes that are shown; and one character more
  const string lower_page = strings::lower(page);
  string out;

  for (size_t at = 0; at < page.size() && out.size() < enough; ++at) {
    const bool is_tag = page[at] == '<';
    const bool is_space = is_tag || static_cast<unsigned char>(page[at]) <= 0x20;
    if (is_space && !out.empty() && out.back() != ' ') {
      out += ' ';
    }
    if (!is_space && !strings::is_control(page[at])) {
      out += page[at];
    }
    if (is_tag) {
      at = end_of_tag(lower_page, at);
    }
    if (at == npos) break;
  }
  return join({"\"", strings::trim(strings::readable(out, most)), "\""});
}

inline string that_says(std::string_view page, size_t most = npos) {
  return "that says " + first_words(page.substr(0, most));
}

// For a person: UTF-8, or an older encoding in which most is ASCII, and nothing that moves a cursor
// or that only binary data has. A first byte that is no character is a mark of some format.
inline bool is_readable_text(std::string_view text) {
  constexpr size_t shortest = 12;  // in an older encoding; fewer bytes may be anything
  constexpr const char* harmless = "\b\t\n\v\f\r\x1b";
  size_t strange = 0;

  std::string_view rest = text;
  while (!rest.empty()) {
    const bool is_harmless = strings::contains(harmless, rest.substr(0, 1));
    if (strings::is_control(rest[0]) && !is_harmless) return false;

    const size_t length = strings::utf8_length(rest);
    strange += length == 0 ? 1 : 0;
    rest.remove_prefix((std::max)(length, size_t{1}));
  }
  const bool is_older =
      strings::utf8_length(text) > 0 && text.size() >= shortest && strange * 4 <= text.size();
  return strange == 0 || is_older;
}

// ---- YAML and JSON, as far as their outermost keys

inline bool is_quote(char letter) {
  return letter == '"' || letter == '\'';
}

// Behind the closing quotation mark of a string that the text begins with; npos: it does not end.
inline size_t end_of_quoted(std::string_view text) {
  const char mark = text[0];

  for (size_t at = 1; at < text.size(); ++at) {
    const bool is_escaped =
        mark == '"' ? text[at] == '\\' : strings::starts_with(text.substr(at), "''");
    if (is_escaped) {
      ++at;
    } else if (text[at] == mark) {
      return at + 1;
    }
  }
  return npos;
}

inline std::string_view without_blanks(std::string_view text) {  // at its front
  text.remove_prefix((std::min)(text.find_first_not_of(" \t\n\v\f\r"), text.size()));
  return text;
}

inline std::string_view without_mark(std::string_view text) {  // of the byte order, in UTF-8
  return text.substr(strings::starts_with(text, "\xEF\xBB\xBF") ? 3 : 0);
}

// Collects the keys of the outermost mappings of JSON or of YAML's flow style ({a: 1, "b": [2]}).
class flow_reader {
 public:
  vector<string> keys{};

  bool is_between_words() const { return strings::trim(word_).empty(); }

  void take_quoted(std::string_view content) { word_ = content; }

  void take(char letter) {
    if (!strings::contains("{}[],:", {&letter, 1})) {
      word_ += letter == '\n' || letter == '\r' ? ' ' : letter;
      return;
    }
    if (letter == '{' || letter == '[') {
      open(letter);
    }
    if (letter == '}' || letter == ']') {
      close();
    }
    if (letter == ':' && is_outermost()) {
      keep_key();
    }
    word_.clear();
  }

 private:
  void open(char bracket) {
    if (bracket == '{') {
      outermost_ = (std::min)(outermost_, depth_);
    }
    ++depth_;
  }

  void close() {
    if (depth_ > 0) {
      --depth_;
    }
  }

  bool is_outermost() const { return outermost_ != npos && depth_ == outermost_ + 1; }

  void keep_key() {
    if (!is_between_words()) {
      keys.emplace_back(strings::trim(word_));
    }
  }

  string word_{};
  size_t depth_ = 0;         // of brackets
  size_t outermost_ = npos;  // outside of the outermost mapping; npos: none has begun
};

inline vector<string> flow_keys(std::string_view text) {
  flow_reader reader;

  while (!text.empty()) {
    const bool is_quoted = is_quote(text[0]) && reader.is_between_words();  // not that of "don't"
    const size_t length = is_quoted ? end_of_quoted(text) : 1;
    if (length == npos) break;

    if (is_quoted) {
      reader.take_quoted(text.substr(1, length - 2));
    } else {
      reader.take(text[0]);
    }
    text.remove_prefix(length);
  }
  return std::move(reader.keys);
}

inline bool ends_key(std::string_view line, size_t at) {  // a colon, and no word right behind it
  if (at >= line.size() || line[at] != ':') return false;
  return at + 1 == line.size() || line[at + 1] == ' ' || line[at + 1] == '\t';
}

inline string quoted_key(std::string_view line) {  // or empty
  const size_t end = end_of_quoted(line);
  if (end == npos) return {};

  const size_t colon = (std::min)(line.find_first_not_of(' ', end), line.size());
  if (!ends_key(line, colon)) return {};
  return string(line.substr(1, end - 2));
}

inline string plain_key(std::string_view line) {  // or empty
  size_t colon = line.find(':');
  while (colon != npos && !ends_key(line, colon)) {
    colon = line.find(':', colon + 1);
  }
  if (colon == npos) return {};

  const std::string_view key = strings::trim(line.substr(0, colon));
  const bool is_remark = strings::contains(key, " #");
  return is_remark ? string() : string(key);
}

// The key that a line of YAML's block style begins with; empty: none.
inline string block_key(std::string_view line) {
  if (line.empty() || strings::contains("#%@`{}[],|>", line.substr(0, 1))) return {};
  if (strings::starts_with(line, "? ")) return "?";  // a key of several lines
  return is_quote(line[0]) ? quoted_key(line) : plain_key(line);
}

struct mapping {  // what a text says of itself as YAML
  enum class style { none, flow, block, list };

  vector<string> keys{};  // of the outermost mapping
  size_t lines = 0;       // that are neither empty nor remarks
  style written = style::none;
  bool in_quotes = false;  // the first key

  bool has_only_remarks() const { return lines == 0; }

  // "Rate limit exceeded: come back later" is YAML, too; a config of one line has no such key
  bool is_prose() const {
    const bool is_plain = written != style::flow && !in_quotes;
    return is_plain && lines == 1 && keys.size() == 1 && strings::contains(keys[0], " ");
  }
};

inline std::string_view take_line(std::string_view& rest) {  // off the front
  const std::string_view line = rest.substr(0, rest.find_first_of("\r\n"));
  rest.remove_prefix((std::min)(line.size() + 1, rest.size()));
  return line;
}

// A line without what may stand before a document and its first node: a directive, ---, a tag, an
// anchor. Empty: a remark, or nothing is left.
inline std::string_view node_of(std::string_view line) {
  line = without_blanks(line);
  if (strings::starts_with(line, "%") || strings::starts_with(line, "...")) return {};

  if (strings::starts_with(line, "---")) {
    line = without_blanks(line.substr(3));
  }
  while (strings::starts_with(line, "!") || strings::starts_with(line, "&")) {
    line = without_blanks(line.substr((std::min)(line.find_first_of(" \t"), line.size())));
  }
  return strings::starts_with(line, "#") ? std::string_view() : line;
}

inline std::string_view without_dashes(std::string_view node) {  // those of a list's entries
  while (strings::starts_with(node, "- ")) {
    node = without_blanks(node.substr(2));
  }
  return node;
}

inline string node_key(std::string_view node, mapping::style written) {
  string key = block_key(node);
  const bool may_be_mapping = written == mapping::style::list && strings::starts_with(node, "{");
  if (key.empty() && may_be_mapping && !flow_keys(node).empty()) return "{";
  return key;
}

// Text from the first node on.
inline void read_first_node(mapping& into, std::string_view node, std::string_view from_there) {
  if (node[0] == '{' || node[0] == '[') {
    into.written = mapping::style::flow;
    into.keys = flow_keys(from_there);
    return;
  }

  const bool is_list = node == "-" || strings::starts_with(node, "- ");
  into.written = is_list ? mapping::style::list : mapping::style::block;
  node = without_dashes(node);
  into.in_quotes = !node.empty() && is_quote(node[0]);
  string key = node_key(node, into.written);
  if (!key.empty()) {
    into.keys.push_back(std::move(key));
  } else if (!is_list) {
    into.written = mapping::style::none;
  }
}

inline void read_next_node(mapping& into, std::string_view line, std::string_view node) {
  const bool is_outermost = line[0] != ' ' && line[0] != '\t';
  if (!is_outermost && into.written != mapping::style::list) {
    return;
  }

  string key = node_key(without_dashes(node), into.written);
  if (!key.empty()) {
    into.keys.push_back(std::move(key));
  }
}

// In a text in block style the first line has a key, or the text is no mapping (YAML 1.2.2, 8.2.2).
// In a list ("- a: 1") any line may have one.
inline mapping read_mapping(std::string_view text) {
  mapping found;
  text = without_mark(text);

  while (!text.empty()) {
    const std::string_view from_here = text;
    const std::string_view line = take_line(text);
    const std::string_view node = node_of(line);
    if (node.empty()) continue;

    ++found.lines;
    if (found.lines == 1) {
      read_first_node(found, node, from_here.substr(size_t(node.data() - line.data())));
    } else {
      read_next_node(found, line, node);
    }
    if (found.written == mapping::style::none || found.written == mapping::style::flow) {
      break;
    }
  }
  return found;
}

// ---- answers of servers

// Whether these keys, all of them, are those of a server that says what went wrong.
inline bool are_of_an_answer(const vector<string>& keys) {
  constexpr const char* telling =
      " error errors error_msg error_message error_code error_description errormessage errorcode"
      " errmsg err exception failure fault forbidden unauthorized denied sorry note notice warning"
      " fatal message messages msg detail details reason code status statuscode status_code result"
      " success ok ";
  constexpr const char* beside =
      " type title instance path timestamp url documentation_url data id request_id requestid"
      " x-request-id trace_id host help info ";
  bool tells = false;

  for (const string& key : keys) {
    const string word = strings::lower(key);
    const bool is_telling = strings::is_one_of(telling, word);
    if (!is_telling && !strings::is_one_of(beside, word)) {
      return false;
    }
    tells = tells || is_telling;
  }
  return tells;
}

// Names of which one alone is enough, where there are few: a tokenizer's config may say how it
// takes "errors", among much else.
inline bool has_key_of_an_error(const vector<string>& keys) {
  constexpr size_t few = 3;
  if (keys.size() > few) return false;

  for (const string& key : keys) {
    constexpr const char* sure = " error errors error_msg error_message errormessage errmsg ";
    if (strings::is_one_of(sure, strings::lower(key))) return true;
  }
  return false;
}

inline bool has_nul(std::string_view bytes) {
  return bytes.find('\0') != npos;
}

inline bool has_model(std::string_view text) {  // as the config of a VQGAN has
  const string front = "\n" + strings::lower(text.substr(0, 1024));
  return !has_nul(text) && strings::contains(front, "\nmodel:")
      && strings::contains(front, "target:");
}

inline bool is_called_html(const specimen& seen) {
  return strings::contains(strings::lower(seen.content_type), "text/html");
}

inline bool looks_like_html(std::string_view text) {
  const string front = strings::lower(text.substr(0, 1024));
  return strings::starts_with(front, "<!doctype html") || strings::contains(front, "<html")
      || strings::contains(front, "<body") || strings::contains(front, "<head");
}

inline constexpr const char* html_page = "an HTML page (a login, quota or error page?) ";

// Which document of tags it is, or empty. `text`: from the first byte that is no white space on.
inline string tagged_document(const specimen& seen, std::string_view text) {
  if (text[0] != '<') {
    return {};
  }
  if (is_called_html(seen) || looks_like_html(text)) {
    return html_page + that_says(text);
  }

  const bool is_merge = seen.want == kind::text && strings::starts_with(text, "<<")
      && strings::starts_with(without_blanks(text.substr(2)), ":");  // YAML's, of another mapping
  // a byte of weights may be a '<'
  const string front = strings::lower(text.substr(0, 9));
  const bool is_marked = front == "<!doctype" || strings::starts_with(front, "<?xml");
  const bool is_text = is_marked || is_readable_text(text.substr(0, 256));
  return is_merge || !is_text ? string() : "an XML document " + that_says(text);
}

inline string json_answer(const specimen& seen, std::string_view text) {  // or empty
  const bool is_json = !has_nul(seen.head) && (text[0] == '{' || text[0] == '[');
  if (!is_json) return {};

  const vector<string> keys = flow_keys(text);
  if (std::find(keys.begin(), keys.end(), "model") != keys.end()) return {};  // a config
  const bool is_answer = are_of_an_answer(keys) || has_key_of_an_error(keys);
  return is_answer ? "a JSON answer " + that_says(text, 400) : string();
}

inline string lfs_pointer(std::string_view text) {  // or empty
  if (!strings::starts_with(text, "version https://git-lfs")) return {};
  return join({"a git-lfs pointer, not the file it points to (", first_words(text.substr(0, 60)),
      "): use the URL of the raw or resolved file"});
}

// Which page or answer of a server these bytes are, from the first that is no white space on.
inline string page_or_answer(const specimen& seen, std::string_view text) {
  if (string what = lfs_pointer(text); !what.empty()) return what;
  if (seen.want == kind::document) return {};
  if (string what = tagged_document(seen, text); !what.empty()) {
    return what;
  }
  if (string what = json_answer(seen, text); !what.empty()) {
    return what;
  }

  const bool is_page = is_called_html(seen) && !has_nul(seen.head) && !has_model(text);
  return is_page ? "an HTML page " + that_says(text) : string();
}

// ---- the verdict

// Why a text is no config; empty: it may be one.
inline string not_a_config(const specimen& seen) {
  constexpr size_t most = 400;                              // bytes of it, for its first words
  if (strings::contains(seen.head, "\nmodel:")) return {};  // whatever stands before it
  if (seen.size == 0) return {};  // the rest of its first line may be to come

  const mapping found = read_mapping(seen.head);
  if (found.has_only_remarks()) {
    return seen.is_whole() ? "remarks alone " + that_says(seen.head, most) : string();
  }
  if (found.keys.empty()) {
    return "a text without a single key " + that_says(seen.head, most);
  }

  const bool is_answer = found.is_prose() || are_of_an_answer(found.keys);
  return seen.is_whole() && is_answer ? "an error text " + that_says(seen.head, most) : string();
}

// Which file it is instead of the config (want: text) or of the checkpoint.
inline string other_of_the_pair(const specimen& seen, std::string_view text) {
  if (seen.want == kind::any || seen.want == kind::document) return {};
  if (seen.want == kind::binary) {
    return has_model(text) ? join({"a config (", first_words(text.substr(0, 60)), ")"}) : string();
  }

  if (strings::starts_with(seen.head, "PK\x03\x04")) {
    return "a zip archive, as checkpoints are";
  }
  if (strings::starts_with(seen.head, "\x1f\x8b")) {
    return "gzip-compressed data";
  }
  if (strings::starts_with(seen.head, "\x80")) {
    return "a pickle, as checkpoints are";
  }
  return has_nul(seen.head) ? "binary data (it has NUL bytes)" : "";
}

// Why it is not the file that is wanted, as far as its head shows; empty: it may be.
inline string not_the_file(const specimen& seen) {
  if (seen.head.empty()) return "an empty file";  // no answer: it may be the file
  const std::string_view text = without_blanks(without_mark(seen.head));
  if (text.empty()) return "nothing but white space";

  if (string what = page_or_answer(seen, text); !what.empty()) {
    return what;
  }
  if (const string what = other_of_the_pair(seen, text); !what.empty()) {
    return what + "; are the URLs of config and checkpoint swapped?";
  }
  if (seen.want == kind::text) return not_a_config(seen);
  if (seen.want != kind::binary) return {};

  const bool is_short = seen.is_whole() && seen.size < short_text && is_readable_text(seen.head);
  return is_short ? "a short text " + that_says(text, 400) : string();
}

// Whether the end record of a zip archive is there: it names its own length (APPNOTE 4.3.16). Some
// stores fill the last block up; what unpacks looks for the record, and so do we.
inline bool zip_has_end(std::string_view tail) {
  constexpr size_t record_size = 22;
  constexpr std::string_view padding("\0 \t\r\n\x1a\xff", 7);
  const auto byte = [tail](size_t at) {
    return size_t{static_cast<unsigned char>(tail[at])};
  };

  for (size_t at = tail.size(); at > 0;) {
    at = tail.rfind("PK\x05\x06", at - 1);
    if (at == npos) return false;
    if (at + record_size > tail.size()) continue;

    const size_t comment_size = byte(at + 20) | byte(at + 21) << 8;
    const size_t end = at + record_size + comment_size;
    if (end <= tail.size() && strings::consists_of(tail.substr(end), padding)) {
      return true;
    }
  }
  return false;
}
}  // namespace sniff

// ==== >>catalog ==== published models: names, aliases, URLs, digests, sizes ====
namespace catalog {
inline constexpr const char* endings[] = {".yaml", ".ckpt"};  // of config and checkpoint

// Facts of public sources; "" and 0: unknown. The first place is the origin; mirrors need a digest.
// In a place, `parts` replaces its first column by the second (config) or third (checkpoint).
// clang-format off
inline constexpr const char* parts[][3] = {
  {"heibox:", "https://heibox.uni-heidelberg.de/d/"}, {"*", "yaml", "ckpt"},
  {"pixray:", "https://github.com/pixray/pixray/releases/download/v1.7.1/vqgan_"},
  {"somnai", "hf:Somnai/pytti-vqgan-checkpoints/resolve/debc22c8f285c7734980c464ff992d335dde6e9a"},
  {"pytti:", "hf:pxlpshr/pytti-models/resolve/main/vqgan/"}, {"hf:", "https://huggingface.co/"},
  {"|", "/files/?p=%2F#&dl=1"}, {"#", "configs%2Fmodel.yaml", "ckpts%2Flast.ckpt"},
  {"@", "configs%2F2020-11-09T13-31-51-project.yaml", "checkpoints%2Flast.ckpt"}};
inline constexpr struct row {  // [0]: of the config, [1]: of the checkpoint
  const char *name, *aliases, *places, *sha256[2]; uint64_t size[2]; } all[] = {
  {"vqgan_imagenet_f16_16384", "imagenet_f16_16384 imagenet_16384 vqgan16 imagenet",
   "heibox:a7530b09fed84f80a887| somnai/imagenet/imagenet.* pytti:imagenet.*",
   {"00e2c6189926f1d89ecfef73e9598db77981c1982f0555fbade963ffd16143c7",
    "845a68805098cb666420d5db93df53f3a3b6dd443e6dd85c05759c5b998cd663"}, {692, 980092370}},
  {"vqgan_imagenet_f16_1024", "imagenet_f16_1024 imagenet_1024 imagenet_vqgan imagenet",
   "heibox:8088892a516d4e3baf92|",
   {"cbd6fa371d07bf5bb960e32186e6e81356accbefdcc722bf94583b6a98bda00c", ""}, {645, 957954257}},
  {"vqgan_gumbel_f8_8192", "gumbel_f8_8192 gumbel_8192 openimages openimages_f16_8192",
   "heibox:2e5662443a6b4307b470| somnai/openimages/openimages.* pytti:openimages.*",
   {"91110bab325067b37f85d1e75895a837d59c292bae4f3097f80c518714d5caff",
    "5cd6c74810ab97e00e942c25403f73afc081e8b19987b31ec0d9ff5b68e7ab14"}, {745, 376581823}},
  {"wikiart_16384", "vqgan_wikiart_16384 wikiart_f16_16384_8145600 wikiart_16384m wikiart",
   "pixray:wikiart_16384.* somnai/wikiart/wikiart.* pytti:wikiart.*",
   {"6e78241d2828ff35b8381839ce249c24a6c468ed429760d33a25e98e7f24499a",
    "bd08bb46301f98be1712bb2be9f8868cea30b53137cd985d4d6e8da8b3e02c36"}, {920, 1005327541}},
  {"wikiart_1024", "vqgan_wikiart_1024 vqgan_wikiart_f16_1024 wikiart_1024m wikiart",
   "pixray:wikiart_1024.*", {"", ""}, {0, 0}},
  {"sflckr", "sflickr s-flckr 2020-11-09T13-31-51_sflckr",
   "heibox:73487ab6e5314cb5adba/files/?p=%2F@&dl=1 somnai/sflickr/sflickr.* pytti:sflckr.*",
   {"c27f012996f3f1f02580f063be47fd60bdd8528efb04d7318b2cbe8a86505b1b",
    "8a8adea3da8dab412675772831370dd948e0aa97bb11a9488a2f328b58dbc929"}, {1603, 4263525412}},
  {"coco_first_stage", "coco_1stage coco_vqgan lstage coco",
   "https://batbot.ai/models/VQGAN/coco_first_stage.* somnai/coco/coco.* pytti:coco_first_stage.*",
   {"17d0c2d9fda59eccade2a6070d833804b759dc817da42c2268be8cf1eb047676",
    "106cc20fde571df14afc4349d62218d8213cf47177c682ecaa78a8c28b12f9de"}, {458, 296030214}},
  {"coco_transformer", "vqgan_coco_f16_8192 coco", "https://dl.nmkd.de/ai/clip/coco/coco.*",
   {"", ""}, {0, 0}},
  {"faceshq_transformer", "faceshq vqgan_faceshq_f16_1024", "somnai/faceshq/faceshq.*",
   {"726ca97fb266c3c744f26e5aba2e579a51e310eee711a15f22224031dfdd57e2",
    "3274bba51bd565c90990bbcf7bb5dad0b9b95a6a77011980afc4c3cfc4d1cad1"}, {0, 0}}};

// clang-format on

inline source sources(const row& r, bool config) {
  const size_t i = config ? 0 : 1;
  source s({}, r.sha256[i]);
  s.size = r.size[i];
  for (string& url : s.urls = strings::words(r.places)) {
    for (const auto& part : parts) {
      if (const size_t at = url.find(part[0]); at != npos) {
        url.replace(at, std::strlen(part[0]), part[2] ? part[1 + i] : part[1]);
      }
    }
  }
  return s;
}

inline list<const row*> find(const string& name) {
  list<const row*> by_alias;  // several: an ambiguous one
  for (const row& r : all) {
    if (name == r.name) return {&r};
    if (strings::contains(
            strings::lower(join({" ", r.aliases, " "})), join({" ", strings::lower(name), " "}))) {
      by_alias.push_back(&r);
    }
  }
  return by_alias;
}

using models = vector<known_model>;

inline models known() {
  models of_all;
  for (const row& r : all) {
    of_all.push_back({r.name, strings::words(r.aliases), sources(r, true), sources(r, false)});
  }
  return of_all;
}
}  // namespace catalog

// ==== >>os ==== asks the operating system: the contract once, then POSIX, then Windows ====
// Paths, files, libraries, threads, signals and time, as plain functions and a few classes that
// give back what they took. This room and >>process alone know which system this is. It uses
// >>error and >>strings.
//
// The contract comes first: what differs between systems is declared there, once, and defined
// twice, in the POSIX block and in the Windows block. What all systems do alike, on top of it,
// stands between. Unless it says otherwise a function gives 0 or an errno value (Windows has them
// too), throws only for want of memory, and may be called by any thread.
}  // namespace detail
}  // namespace VQCACHE_ABI_
}  // namespace vqcache

#include <fcntl.h>
#include <signal.h>
#if defined(_WIN32)
#include <io.h>
#include <process.h>
// As <windows.h> declares them, which would bring 18,000 macros. These are its very types, so that
// it may be included before or after; its structures are only named here, and the Windows blocks
// have their own of the same layout.
struct HINSTANCE__;
struct _OVERLAPPED;
extern "C" {
__declspec(dllimport) int __stdcall CloseHandle(void* object);
__declspec(dllimport) unsigned long __stdcall GetLastError();
__declspec(dllimport) std::intptr_t(
    __stdcall* __stdcall GetProcAddress(HINSTANCE__* library, const char* name))();
__declspec(dllimport)
HINSTANCE__* __stdcall LoadLibraryExA(const char* name, void* reserved, unsigned long flags);
__declspec(dllimport) int __stdcall MoveFileExW(
    const wchar_t* from, const wchar_t* to, unsigned long flags);
__declspec(dllimport) int __stdcall ReadFile(
    void* from, void* to, unsigned long size, unsigned long* got, _OVERLAPPED* where);
__declspec(dllimport) void __stdcall Sleep(unsigned long milliseconds);
__declspec(dllimport) unsigned long __stdcall WaitForSingleObject(
    void* object, unsigned long milliseconds);
__declspec(dllimport) int __stdcall WideCharToMultiByte(unsigned code_page, unsigned long flags,
    const wchar_t* wide, int length, char* to, int size, const char* unknown, int* had_unknown);
__declspec(dllimport) int __stdcall WriteFile(
    void* to, const void* bytes, unsigned long size, unsigned long* put, _OVERLAPPED* where);
}
#else
// ROOT brings a glibc of its own, which may be older than these headers: it lacks two attributes
#if defined(__CLING__) && !defined(__attr_dealloc)
#define __attr_dealloc(function, argument)
#include <dirent.h>
#undef __attr_dealloc
#endif
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/ioctl.h>
#include <sys/vfs.h>
#endif
#endif
namespace vqcache {
inline namespace VQCACHE_ABI_ {
namespace detail {
namespace os {
using error::shown;

// ---- the contract: types ------------------------------------------------------------------------

#if defined(_WIN32)
using thread_id = std::uintptr_t;  // a handle, as _beginthreadex() gives it
#else
using thread_id = ::pthread_t;
#endif

struct pinned {  // what stays where it was made
  pinned() = default;
  pinned(pinned&&) = delete;
};

// ---- the contract: names, texts, time -----------------------------------------------------------

fs::path to_path(const std::string& utf8);

// A variable of the environment in UTF-8, which to_path() takes; empty: it is not set.
std::string env(const char* name);

// Where ~ is, as HOME says it (Windows: USERPROFILE); empty: nobody says it.
fs::path home_directory();

// In which this user's programs keep what can be had again. Empty: none is known.
fs::path user_cache_directory();

// The errno value of an error of the standard library: also one that std::errc has no name for
// (EDQUOT, ESTALE). A number of Windows that is no errno gives EIO.
int value(const std::error_code& e);

std::tm utc(std::time_t when);

// A signal that is handled may end it early.
void sleep_ms(int ms);

bool is_terminal(std::FILE* stream);

// ---- the contract: libraries --------------------------------------------------------------------

// libcurl_names, in each block: what load() is to try, in this order.

// A library, loaded to stay; null: it is not there, or not to be loaded. Not from the working
// directory. Windows looks beside the program, in directories that it has added, and in System32.
void* load(const char* name);

// A function of a library; of none: of what the process has loaded already (Windows: of the program
// itself). null: there is none.
void* symbol(void* library, const char* name);

// ---- the contract: files ------------------------------------------------------------------------

// After EINTR a descriptor is closed, or being closed: that is success.
int close_descriptor(int descriptor);

class file {  // a descriptor that closes itself; close() tells what only closing can tell
 public:
  explicit file(int descriptor = -1) : descriptor_(descriptor) {}

  file(file&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

  file& operator=(file&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }

  ~file() { (void)close(); }

  int descriptor() const { return descriptor_; }

  bool is_open() const { return descriptor_ >= 0; }

  int close() {
    if (!is_open()) return 0;
    return close_descriptor(std::exchange(descriptor_, -1));
  }

 private:
  int descriptor_;
};

// Windows knows nothing of the difference between the first two.
enum class mode {
  read,    // what is there, but for a symbolic link (ELOOP)
  link,    // the same through a symbolic link
  glance,  // as link, and no use of the file where the system can leave that out: see last_used()
  create,  // to read and write, with the rights that its directory gives to any file; EEXIST if
           // anything has the name, be it a link that leads nowhere
  lock,    // to read and write; made if it is not there
  update,  // to read and write what is there
};

constexpr bool follows_links(mode how) {
  return how == mode::link || how == mode::glance;
}

// No program that is started has the file too. Opening waits for nobody, not even for the other end
// of a FIFO. With POSIX the descriptor is none of 0 to 2, which may be closed: what the program
// prints then is not to get into a file of ours. After a failure `out` is not open.
int open(const fs::path& path, mode how, file& out);

// One step of read_at() and write_at(): how many bytes it took, 0 at the end of the file, or -1 and
// errno. The place is given, so threads can share a file. A signal does not break it off.
std::int64_t read_once(const file& from, uint64_t offset, char* to, size_t size);
std::int64_t write_once(const file& to, uint64_t offset, const char* bytes, size_t size);

// What was written is on the disk. After a failure (but EINTR, which is tried again) the kernel may
// have dropped it: then another sync() that succeeds says nothing.
int sync(file& f);

// What was renamed or made in a directory is on the disk. Where the file system or a sandbox does
// not let a directory be synced, that is success: nothing is lost by it. With Windows rename() has
// done it already.
int sync_directory(const fs::path& directory);

// sync_slice: begins to write a part back, or waits for that. Nothing lasts by it, but an error is
// told here, and not again by sync().
int sync_slice(file& f, uint64_t from, uint64_t size, bool wait = false);

// Makes `to` a copy of all of `from` by sharing its blocks, which needs no room. false: it cannot.
bool clone(const file& from, file& to);

// Copies at most so many bytes from a place to the same place, by the kernel or by a server, and
// tells how many. 0: read and write them. What it wrote has to be read again before it is believed:
// there are two reports of zeros in it.
size_t copy_some(const file& from, file& to, uint64_t at, size_t size);

// In one step, in place of what has the name `to`, which never is missing meanwhile. A scanner or a
// reader may hold a file of Windows for a moment: there it tries for 2 s.
int rename(const fs::path& from, const fs::path& to);

// renames_open_files, in each block: whether rename() may do so while we have the file open.

// An exclusive lock that ends with the file or the process. EWOULDBLOCK: another has it.
int try_lock(file& f);

// Adds the names in a directory that begin so, but for "." and "..". Those that it has found before
// a failure stay. Not by fs::directory_iterator: that of libstdc++ ends the program when an
// allocation fails.
int list_names(const fs::path& directory, std::string_view prefix, std::vector<std::string>& out);

// Whether it is there and may not be written, by its rights or since its file system is read-only.
bool read_only(const fs::path& path);

// When a file was read or written last, in seconds since 1970; 0: that cannot be told. Most systems
// note that it was read about once a day.
int64_t last_used(const fs::path& path);

// The size of the largest file that this process can have there, as far as that is known.
uint64_t largest_file(const fs::path& directory);

// A number of the device that it is on (Windows: of the drive). None: that cannot be told.
optional<uint64_t> device_of(const fs::path& path);

// What its file system is called; empty: there is no name for it here.
std::string file_system_of(const fs::path& directory);

// Whether standard input, output or error may be closed, and what can be opened in their place.
bool may_lack_standard_streams();
file open_null_device();

// ---- the contract: processes, threads, signals --------------------------------------------------

unsigned process_number();

// Who owns an unfinished file: "MACHINE BOOT PID START". A machine is a name and a process
// namespace, since containers share disks and process numbers; the start time tells a process from
// a later one of the same number; what cannot be read is empty. Windows, where a file that is open
// can be neither renamed nor removed, has one owner for all.
std::string owner(const std::string& pid);

// Whether there may be a process of that number. Windows says no: see owner().
bool may_run(const std::string& pid);

struct thread_entry {  // what a thread calls, and with what; it throws nothing
  void (*run)(void*) = nullptr;
  void* with = nullptr;
};

// Starts a thread, to be joined once. `entry` has to outlive it. No signal is handled on it: those
// are for the threads of the program. After a failure `out` may be anything.
int start_thread(thread_entry& entry, thread_id& out);
void join_thread(thread_id one);

// While one lives, writing to a peer that is gone (libcurl with an older OpenSSL does), or beyond
// the limit of file sizes, is an error and not the end of the program. Of the thread that made it.
class quiet_signals;

// While one lives pthread_cancel() is held back: unwinding for it, which no handler of exceptions
// may end, would go through them, and through noexcept functions. It acts at the thread's next
// cancellation point after. Of the thread that made it.
class held_cancel;

using signal_handler = void (*)(int);

// From now on SIGINT calls `ours` and breaks off system calls that wait; but if the program ignores
// it, it goes on to do so. One call at a time: interrupt_guard sees to that.
void take_interrupt(signal_handler ours);

// Brings back what take_interrupt() has found, unless the program has set another handler since.
void give_back_interrupt(signal_handler ours);

// For `ours` itself, while it handles a signal: the next one comes to it too.
void keep_interrupt(signal_handler ours);

// ---- what all systems do alike ------------------------------------------------------------------

inline void print(const std::string& text, std::FILE* to) {
#if VQCACHE_INTERPRETED
  if (to == stdout) {
    std::cout << text << std::flush;
    return;
  }
#endif
  (void)std::fwrite(text.data(), 1, text.size(), to);
  (void)std::fflush(to);
}

inline void print_line(const std::string& text) {  // in one piece, and without memory
#if VQCACHE_INTERPRETED
  std::cout << text << '\n' << std::flush;
#else
  constexpr size_t longest = 1 << 20;
  (void)std::printf("%.*s\n", int((std::min)(text.size(), longest)), text.c_str());
  (void)std::fflush(stdout);
#endif
}

template <class R, class... A>
inline R call(void* f, A... a) {  // a function found at run time
  return reinterpret_cast<R (*)(A...)>(f)(a...);
}

// Holds the numbers of closed standard streams, so that nothing made meanwhile is one of them, not
// even for the moment until it is lifted.
enum class places { are_held, may_be_taken };

class standard_places : pinned {
 public:
  explicit standard_places(places how = places::are_held) {
    if (how == places::may_be_taken) return;

    for (file& place : held_) {
      if (!may_lack_standard_streams()) return;

      file next = open_null_device();
      const bool takes_a_place = next.is_open() && next.descriptor() <= 2;
      if (!takes_a_place) return;  // none is closed
      place = std::move(next);
    }
  }

 private:
  file held_[3];
};

inline constexpr size_t longest_step = size_t{1} << 30;  // 32 bits are too few for some systems

// got: less than size only at the end of the file. After a failure it is 0.
inline int read_at(const file& from, uint64_t offset, char* to, size_t size, size_t& got) {
  got = 0;
  size_t done = 0;
  while (done < size) {
    const size_t step = (std::min)(size - done, longest_step);
    const std::int64_t came = read_once(from, offset + done, to + done, step);
    if (came < 0) return errno;
    if (came == 0) break;
    done += static_cast<size_t>(came);
  }

  got = done;
  return 0;
}

// All of them, in as many steps as it takes. EIO: the disk takes no more, and does not say why.
inline int write_at(file& to, uint64_t offset, std::string_view bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const size_t step = (std::min)(bytes.size() - done, longest_step);
    const std::int64_t put = write_once(to, offset + done, bytes.data() + done, step);
    if (put < 0) return errno;
    if (put == 0) return EIO;
    done += static_cast<size_t>(put);
  }
  return 0;
}

// A file system or a sandbox that knows no such call, or does not allow it, has lost no byte by
// that. For what is only advice it is no failure; EIO, ENOSPC and their like are one everywhere.
inline bool is_refusal(int error) {
  if (error == EPERM || error == EACCES) return true;
  if (error == EINVAL || error == ENOSYS || error == ESPIPE) {
    return true;
  }
  return error == ENOTSUP || error == EOPNOTSUPP;
}

// A small text, of a large one the first `most` bytes. After a failure `out` is empty.
inline int read_text(
    const fs::path& path, std::string& out, mode how = mode::read, size_t most = 65536) {
  constexpr size_t mostly = 4096, times_more = 24;
  out.clear();
  file from;
  if (const int error = open(path, how, from)) return error;

  for (size_t size = mostly;; size = (std::min)(size * times_more, most)) {
    out.resize(size);
    size_t got = 0;
    const int error = read_at(from, 0, out.data(), size, got);
    out.resize(got);
    if (error != 0 || got < size || size >= most) return error;
  }
}

struct info {
  bool exists = false, regular = false, directory = false;
  uint64_t size = 0;
  int problem = 0;  // when it could not even be told whether it exists
};

// What a name leads to; follow = false: a symbolic link counts as nothing. A regular file costs one
// call when links are followed.
inline info look(const fs::path& path, bool follow = true) {
  std::error_code e;
  if (!follow && fs::is_symlink(fs::symlink_status(path, e))) return {};

  const uint64_t size = fs::file_size(path, e);
  if (!e) return {true, true, false, size, 0};

  std::error_code then;
  const fs::file_status status = fs::status(path, then);
  info found;
  found.exists = fs::exists(status);
  found.directory = fs::is_directory(status);
  if (fs::is_regular_file(status)) {  // its size was not told
    found.problem = value(e);
  } else if (!fs::status_known(status)) {
    found.problem = value(then);
  }
  return found;
}

inline bool older_than_a_day(const fs::path& path) {
  std::error_code e;
  const fs::file_time_type then = fs::last_write_time(path, e);
  return !e && fs::file_time_type::clock::now() - then > std::chrono::hours(24);
}

enum class fate { alive, gone, restarted, unknown };  // of a process; restarted: of its machine

inline constexpr uint64_t unknown = ~uint64_t{0};  // as std::filesystem::space has it

struct disk : fs::space_info {  // unknown: each of its sizes
  uint64_t largest;             // file that can be there
};

// Many mounts of a cloud answer with zeros. No disk has a capacity of zero: it is not known.
inline fs::space_info as_told(const fs::space_info& told) {
  if (told.capacity != 0) return told;
  return {unknown, unknown, unknown};
}

inline bool may_be_one(const disk& a, const disk& b) {  // a doubt counts as yes
  return a.capacity == b.capacity || a.capacity == unknown || b.capacity == unknown;
}

inline disk disk_of(const fs::path& directory) {
  std::error_code e;
  return {as_told(fs::space(directory, e)), largest_file(directory)};
}

inline int unlink(const fs::path& path) {  // what is not there is no failure
  std::error_code e;
  fs::remove(path, e);
  return value(e);
}

// Whether a few more files can be opened: else what is loaded or asked fails for that alone.
inline bool has_descriptors() {
  constexpr size_t few = 4;  // as loading a library takes
  file some[few];
  for (file& one : some) {
    if (open(fs::path("."), mode::read, one) == EMFILE) return false;
  }
  return true;
}

inline int make_directories(const fs::path& path) {  // what is missing, each level made to last
  if (const info there = look(path); there.exists) {
    return there.directory ? 0 : ENOTDIR;
  }

  const fs::path parent = path.parent_path();
  if (parent == path) return ENOENT;
  if (const int error = make_directories(parent)) return error;

  std::error_code e;
  fs::create_directory(path, e);
  if (look(path).directory) return sync_directory(parent);
  return e ? value(e) : ENOTDIR;
}

// Why a directory is not there and is not to be made: a link stands for another place, a disk that
// is not mounted perhaps. Empty: it may be made.
inline std::string link_problem(const fs::path& path) {
  std::error_code e;
  fs::path way;
  for (const fs::path& part : path) {
    way /= part;
    const bool is_link = fs::is_symlink(fs::symlink_status(way, e));
    if (!is_link || fs::status(way, e).type() != fs::file_type::not_found) {
      continue;
    }
    return error::join({way, " is a link to ", fs::read_symlink(way, e),
        ", which is not there; mount or create that, or remove the link"});
  }
  return {};
}

inline constexpr const char* no_working_directory =
    "it is relative, and the working directory is not there any more; cd to another one, or give "
    "an absolute path";

inline error::status not_there(const fs::path& path, const std::string& why) {
  const std::error_code cause = std::make_error_code(std::errc::no_such_file_or_directory);
  return {errc::io, error::join({"cannot use ", path, ": ", why}), cause, {}};
}

inline error::status ready_directory(const fs::path& path) {  // make_directories(), and why not
  const int problem = make_directories(path);
  if (problem == 0) return {};

  if (path.is_relative()) {  // else it was resolved
    return not_there(path, no_working_directory);
  }
  const std::string why = link_problem(path);
  return why.empty() ? error::system(problem, "create", path) : not_there(path, why);
}

inline std::vector<std::string> list(
    const fs::path& directory, const std::string& prefix, int* problem = nullptr) {
  std::vector<std::string> names;
  const int error = list_names(directory, prefix, names);
  if (problem) {
    *problem = error;
  }
  return names;
}

inline bool is_listed(std::string_view name, std::string_view prefix) {  // for list_names()
  return name != "." && name != ".." && strings::starts_with(name, prefix);
}

// Absolute, ~ is home; empty: there is none, or no working directory.
inline fs::path resolved(fs::path path) {
  const std::string given = shown(path);
  if (given == "~" || strings::starts_with(given, "~/")) {
    const fs::path home = home_directory();
    if (home.empty()) return {};

    path = home;
    path += to_path(given.substr(1));
  }

  std::error_code e;
  const fs::path whole = fs::absolute(path, e).lexically_normal();
  return whole.is_absolute() ? whole : fs::path();  // libstdc++ gives the relative one back
}

inline std::string date() {
  const std::tm now = utc(std::time(nullptr));
  char text[32];
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &now));
}

inline std::string unique() {  // 16 hex digits: the process, and what no other call there has
  static std::atomic<unsigned> count{0};
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  const std::string call = join({now, " ", ++count});
  return strings::hex(process_number(), 8) + strings::hex(std::hash<std::string>()(call), 8);
}

inline std::string owner() {  // this process
  return owner(std::to_string(process_number()));
}

struct owner_words {  // of owner(): they look at its text
  std::string_view machine, boot, pid, start;
};

inline owner_words take_apart(std::string_view owner) {
  owner_words words;
  words.machine = strings::take(owner, ' ');
  words.boot = strings::take(owner, ' ');
  words.pid = strings::take(owner, ' ');
  words.start = owner;
  return words;
}

inline fate owner_fate(const std::string& who) {
  const std::string here = owner();
  const owner_words theirs = take_apart(who), ours = take_apart(here);
  if (theirs.machine != ours.machine) return fate::unknown;

  if (theirs.boot != ours.boot) {
    // without one it could not be read, for want of a descriptor perhaps
    const bool both_known = !theirs.boot.empty() && !ours.boot.empty();
    return both_known ? fate::restarted : fate::unknown;
  }

  const std::string pid(theirs.pid);
  if (!may_run(pid)) return fate::gone;

  const std::string now = owner(pid);
  const std::string_view start = take_apart(now).start;
  const bool may_be_it = theirs.start.empty() || start.empty() || start == theirs.start;
  return may_be_it ? fate::alive : fate::gone;
}

class thread : pinned {  // joined by its owner; that it cannot start is a value
 public:
  ~thread() { join(); }

  bool running() const { return is_running_; }  // started, and not joined yet

  template <class T>
  int start(T* with) {  // whose loop() it calls, which throws nothing
    entry_ = {&enter<T>, with};
    const int error = start_thread(entry_, id_);
    is_running_ = error == 0;
    return error;
  }

  void join() {
    if (!is_running_) return;

    is_running_ = false;
    join_thread(id_);
  }

 private:
  template <class T>
  static void enter(void* with) {
    static_cast<T*>(with)->loop();
  }

  thread_entry entry_{};
  thread_id id_{};
  bool is_running_ = false;
};

class interrupt_guard : pinned {  // while one lives, Ctrl-C is counted and ends nothing
 public:
  explicit interrupt_guard(bool is_wanted) : is_wanted_(is_wanted), before_(shared().interrupts) {
    if (!is_wanted_) return;

    const std::lock_guard<std::mutex> turn(shared().turn);
    if (++shared().guards == 1) {
      take_interrupt(&on_interrupt);
    }
  }

  ~interrupt_guard() {
    if (!is_wanted_) return;

    const std::lock_guard<std::mutex> turn(shared().turn);
    if (--shared().guards == 0) {
      give_back_interrupt(&on_interrupt);
    }
  }

  bool hit() const { return is_wanted_ && shared().interrupts != before_; }

 private:
  struct state {  // of all guards of the process
    std::atomic<int> interrupts{0}, guards{0};
    std::mutex turn{};
  };

  static state& shared() {
    static state only;
    return only;
  }

  static void on_interrupt(int) {
    ++shared().interrupts;
    if (shared().guards > 0) {
      keep_interrupt(&on_interrupt);
    }
  }

  bool is_wanted_;
  int before_;
};

// ---- POSIX --------------------------------------------------------------------------------------
#if !defined(_WIN32)

#if defined(__APPLE__)  // never a bare name: dlopen would look in the working directory
inline constexpr const char* libcurl_names[] = {
    "/usr/lib/libcurl.4.dylib", "@rpath/libcurl.4.dylib"};
#else
inline constexpr const char* libcurl_names[] = {
    "libcurl.so.4", "libcurl-gnutls.so.4", "libcurl-nss.so.4"};
#endif

inline constexpr bool renames_open_files = true;

// Where the plain names may have offsets of 32 bits (a 32-bit glibc, unless the whole program asks
// for more), these have 64. Other systems have no second names, and need none.
#if defined(__GLIBC__)
using directory_entry = ::dirent64;

inline int open_large(const char* path, int flags, ::mode_t rights) {
  return ::open64(path, flags, rights);
}

inline ::ssize_t pread_large(int descriptor, void* to, size_t size, std::int64_t offset) {
  return ::pread64(descriptor, to, size, offset);
}

inline ::ssize_t pwrite_large(int descriptor, const void* from, size_t size, std::int64_t offset) {
  return ::pwrite64(descriptor, from, size, offset);
}

inline const directory_entry* readdir_large(::DIR* directory) {
  return ::readdir64(directory);
}
#else
using directory_entry = ::dirent;

inline int open_large(const char* path, int flags, ::mode_t rights) {
  return ::open(path, flags, rights);
}

inline ::ssize_t pread_large(int descriptor, void* to, size_t size, std::int64_t offset) {
  return ::pread(descriptor, to, size, offset);
}

inline ::ssize_t pwrite_large(int descriptor, const void* from, size_t size, std::int64_t offset) {
  return ::pwrite(descriptor, from, size, offset);
}

inline const directory_entry* readdir_large(::DIR* directory) {
  return ::readdir(directory);
}
#endif

template <class F>
inline auto again(const F& step) {  // for as long as signals break it off
  auto got = step();
  while (got < 0 && errno == EINTR) {
    got = step();
  }
  return got;
}

inline fs::path to_path(const std::string& utf8) {
  return utf8;
}

inline std::string env(const char* name) {
  const char* const text = std::getenv(name);
  return text ? text : "";
}

inline fs::path home_directory() {
  return env("HOME");
}

inline fs::path user_cache_directory() {
  const fs::path home = home_directory();
#if defined(__APPLE__)
  return home.empty() ? home : home / "Library" / "Caches";
#else
  fs::path told = to_path(env("XDG_CACHE_HOME"));  // a relative one is to be ignored
  if (told.is_absolute()) return told;
  return home.empty() ? home : home / ".cache";
#endif
}

inline int value(const std::error_code& e) {
  return e.default_error_condition().value();
}

inline std::tm utc(std::time_t when) {
  std::tm fields{};
  (void)::gmtime_r(&when, &fields);
  return fields;
}

inline void sleep_ms(int ms) {
  const ::timespec time{ms / 1000, ms % 1000 * 1000000L};
  ::nanosleep(&time, nullptr);
}

inline bool is_terminal(std::FILE* stream) {
  return ::isatty(::fileno(stream)) != 0;
}

inline void* load(const char* name) {
  return ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
}

inline void* symbol(void* library, const char* name) {
  return ::dlsym(library ? library : RTLD_DEFAULT, name);
}

inline int close_descriptor(int descriptor) {
  return ::close(descriptor) == 0 || errno == EINTR ? 0 : errno;
}

inline bool may_lack_standard_streams() {
  for (const int stream : {0, 1, 2}) {
    if (::fcntl(stream, F_GETFD) < 0) return true;
  }
  return false;
}

inline file open_null_device() {
  return file(::open("/dev/null", O_RDWR | O_CLOEXEC));
}

// A descriptor beyond 0 to 2 for the same file. Not open, with errno: there is none.
inline file above_standard_streams(file f) {
  if (!f.is_open() || f.descriptor() > 2) return f;
  return file(::fcntl(f.descriptor(), F_DUPFD_CLOEXEC, 3));
}

#if defined(O_NOATIME)  // for the owner of a file alone
inline constexpr int unnoted = O_NOATIME;
#else
inline constexpr int unnoted = 0;
#endif

inline int open_flags(mode how) {
  constexpr int common = O_CLOEXEC | O_NONBLOCK;  // O_NONBLOCK: for a FIFO in its place
  switch (how) {
    case mode::read: return common | O_RDONLY | O_NOFOLLOW;
    case mode::link: return common | O_RDONLY;
    case mode::glance: return common | O_RDONLY | unnoted;
    case mode::create: return common | O_RDWR | O_NOFOLLOW | O_CREAT | O_EXCL;
    case mode::lock: return common | O_RDWR | O_NOFOLLOW | O_CREAT;
    case mode::update: break;
  }
  return common | O_RDWR | O_NOFOLLOW;
}

inline int open(const fs::path& path, mode how, file& out) {
  constexpr ::mode_t rights = 0666;  // less what the umask takes
  const bool is_only_read = how == mode::read || how == mode::link || how == mode::glance;
  const standard_places held(is_only_read ? places::may_be_taken : places::are_held);

  const int flags = open_flags(how);
  file opened(again([&] { return open_large(path.c_str(), flags, rights); }));
  if (how == mode::glance && !opened.is_open() && errno == EPERM) {
    return open(path, mode::link, out);
  }
  opened = above_standard_streams(std::move(opened));
  const int error = opened.is_open() ? 0 : errno;
  out = std::move(opened);
  return error;
}

inline std::int64_t read_once(const file& from, uint64_t offset, char* to, size_t size) {
  const auto place = static_cast<std::int64_t>(offset);
  return again([&] { return pread_large(from.descriptor(), to, size, place); });
}

inline std::int64_t write_once(const file& to, uint64_t offset, const char* bytes, size_t size) {
  const auto place = static_cast<std::int64_t>(offset);
  return again([&] { return pwrite_large(to.descriptor(), bytes, size, place); });
}

inline int sync(file& f) {
#if defined(F_FULLFSYNC)  // Apple: fsync() leaves the bytes in the disk's own cache
  if (::fcntl(f.descriptor(), F_FULLFSYNC) == 0) return 0;
#endif
  return again([&] { return ::fsync(f.descriptor()); }) < 0 ? errno : 0;
}

// A directory that may be entered and written but not read (mode 1733) cannot be opened for this.
inline int sync_directory(const fs::path& directory) {
  file f;
  int error = open(directory, mode::link, f);
  if (error == 0) {
    error = sync(f);
  }
  return is_refusal(error) ? 0 : error;
}

#if defined(__linux__) && !defined(__ANDROID__)
inline int sync_slice(file& f, uint64_t from, uint64_t size, bool wait) {
  constexpr unsigned begin = SYNC_FILE_RANGE_WRITE;
  constexpr unsigned finish =
      SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  const auto place = static_cast<std::int64_t>(from), length = static_cast<std::int64_t>(size);
  const unsigned flags = wait ? finish : begin;
  const int done = again([&] { return ::sync_file_range(f.descriptor(), place, length, flags); });
  return done == 0 || is_refusal(errno) ? 0 : errno;
}

inline bool clone(const file& from, file& to) {
  constexpr auto ficlone = _IOW(0x94, 9, int);  // FICLONE of linux/fs.h: ioctl_ficlonerange(2)
  return again([&] { return ::ioctl(to.descriptor(), ficlone, from.descriptor()); }) == 0;
}

inline size_t copy_some(const file& from, file& to, uint64_t at, size_t size) {
  const int in = from.descriptor(), out = to.descriptor();
  std::int64_t read_from = static_cast<std::int64_t>(at), write_to = read_from;
  const ::ssize_t copied =
      again([&] { return ::copy_file_range(in, &read_from, out, &write_to, size, 0); });
  return copied > 0 ? static_cast<size_t>(copied) : 0;
}
#else
inline int sync_slice(file&, uint64_t, uint64_t, bool) {
  return 0;
}

inline bool clone(const file&, file&) {
  return false;
}

inline size_t copy_some(const file&, file&, uint64_t, size_t) {
  return 0;
}
#endif

inline int rename(const fs::path& from, const fs::path& to) {
  return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

inline int try_lock(file& f) {
  return again([&] { return ::flock(f.descriptor(), LOCK_EX | LOCK_NB); }) == 0 ? 0 : errno;
}

class directory_stream : pinned {
 public:
  explicit directory_stream(const fs::path& directory) {
    do {
      errno = 0;
      stream_ = ::opendir(directory.c_str());
    } while (!stream_ && errno == EINTR);
  }

  ~directory_stream() {
    if (stream_) {
      (void)::closedir(stream_);
    }
  }

  ::DIR* get() const { return stream_; }  // null: it could not be opened, and errno

 private:
  ::DIR* stream_ = nullptr;
};

inline const directory_entry* next_entry(::DIR* stream) {  // null: the end, or errno
  const directory_entry* entry = nullptr;
  do {
    errno = 0;  // which readdir sets only when it fails
    entry = readdir_large(stream);
  } while (!entry && errno == EINTR);
  return entry;
}

inline int list_names(
    const fs::path& directory, std::string_view prefix, std::vector<std::string>& out) {
  const directory_stream stream(directory);
  if (!stream.get()) return errno;

  for (;;) {
    const directory_entry* const entry = next_entry(stream.get());
    if (!entry) return errno;

    const std::string name = entry->d_name;
    if (is_listed(name, prefix)) {
      out.push_back(name);
    }
  }
}

inline int64_t last_used(const fs::path& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return 0;
  return (std::max)(int64_t{found.st_atime}, int64_t{found.st_mtime});
}

inline bool read_only(const fs::path& path) {
  return ::access(path.c_str(), W_OK) != 0 && (errno == EACCES || errno == EROFS);
}

#if defined(__linux__)
inline uint64_t file_system_limit(const fs::path& directory) {
  constexpr auto fat = 0x4d44;  // MSDOS_SUPER_MAGIC of linux/magic.h
  constexpr uint64_t largest_of_fat = 0xffffffff;
  struct statfs is{};
  const bool is_fat = ::statfs(directory.c_str(), &is) == 0 && is.f_type == fat;
  return is_fat ? largest_of_fat : unknown;
}

struct known_file_system {
  std::uint32_t magic;  // statfs(2), linux/magic.h
  const char* name;
};

inline std::string file_system_of(const fs::path& directory) {
  static constexpr known_file_system all[] = {{0xef53, "ext4"}, {0x58465342, "xfs"},
      {0x9123683e, "btrfs"}, {0x2fc12fc1, "zfs"}, {0xf2f52010, "f2fs"}, {0x4d44, "fat"},
      {0x2011bab0, "exfat"}, {0x7366746e, "ntfs"}, {0x01021994, "tmpfs"}, {0x858458f6, "ramfs"},
      {0x794c7630, "overlay"}, {0x65735546, "fuse"}, {0x6969, "nfs"}, {0xff534d42, "cifs"},
      {0xfe534d42, "smb2"}, {0x01021997, "9p"}, {0x00c36400, "ceph"}, {0x0bd00bd0, "lustre"}};
  struct statfs is{};
  if (::statfs(directory.c_str(), &is) != 0) return {};

  for (const known_file_system& one : all) {
    if (one.magic == static_cast<std::uint32_t>(is.f_type)) return one.name;
  }
  return {};
}
#else
inline uint64_t file_system_limit(const fs::path&) {
  return unknown;
}

inline std::string file_system_of(const fs::path&) {
  return {};
}
#endif

inline optional<uint64_t> device_of(const fs::path& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return {};
  return found.st_dev;
}

inline uint64_t largest_file(const fs::path& directory) {
  const uint64_t by_disk = file_system_limit(directory);
  struct rlimit limit{};
  const bool is_limited = ::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
  return is_limited ? (std::min)(by_disk, uint64_t{limit.rlim_cur}) : by_disk;
}

inline unsigned process_number() {
  return static_cast<unsigned>(::getpid());
}

// proc(5), of /proc/PID/stat: the second field is a name in parentheses, which may hold anything.
// These are the third, the state, and those behind it; empty: there is no such file.
inline std::string stat_behind_name(const std::string& pid) {
  std::string stat;
  (void)read_text("/proc/" + pid + "/stat", stat);
  return stat.erase(0, stat.rfind(')') + 1);
}

inline std::string owner(const std::string& pid) {
  char host[256] = "";
  (void)::gethostname(host, sizeof host - 1);
  std::error_code none;
  const std::string space = shown(fs::read_symlink("/proc/self/ns/pid", none));

  std::string boot;
  (void)read_text("/proc/sys/kernel/random/boot_id", boot);

  // the start is the 22nd field, and 20 spaces are before it
  const std::string stat = stat_behind_name(pid);
  std::string_view fields = stat;
  for (int i = 0; i < 20; ++i) {
    strings::take(fields, ' ');
  }
  const std::string_view start = strings::take(fields, ' ');
  return join({host, "/", space, " ", strings::trim(boot), " ", pid, " ", start});
}

inline bool may_run(const std::string& pid) {
  const optional<uint64_t> number = strings::parse_number(pid);
  constexpr uint64_t largest = 0x7fffffff;  // that a pid_t holds
  if (!number || *number > largest) return true;
  const bool is_there = ::kill(static_cast<pid_t>(*number), 0) == 0 || errno != ESRCH;
  if (!is_there) return false;

  // it has ended, and nobody has waited for it: the first process of many containers never does
  const std::string stat = stat_behind_name(pid);
  const bool is_zombie = stat.size() > 1 && (stat[1] == 'Z' || stat[1] == 'X');
  return !is_zombie;
}

inline void* enter_thread(void* entry) {
  const auto& what = *static_cast<const thread_entry*>(entry);
  what.run(what.with);
  return nullptr;
}

inline int start_thread(thread_entry& entry, thread_id& out) {
  sigset_t all, before;  // a thread begins with those blocked that are blocked here
  (void)sigfillset(&all);
  ::sigprocmask(SIG_BLOCK, &all, &before);  // as pthread_sigmask, which not every libc has
  const int error = ::pthread_create(&out, nullptr, &enter_thread, &entry);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  return error;
}

inline void join_thread(thread_id one) {
  ::pthread_join(one, nullptr);
}

class quiet_signals : pinned {
 public:
  quiet_signals() {
    sigset_t quiet;
    (void)sigemptyset(&quiet);
    for (const int one : {SIGPIPE, SIGXFSZ}) {
      (void)sigaddset(&quiet, one);
    }
    ::sigpending(&pending_);
    ::sigprocmask(SIG_BLOCK, &quiet, &before_);
  }

  ~quiet_signals() {
    sigset_t now;
    ::sigpending(&now);
    for (const int one : {SIGPIPE, SIGXFSZ}) {
      const bool is_ours = sigismember(&now, one) > sigismember(&pending_, one);
      if (is_ours) {
        take_off(one);
      }
    }
    ::sigprocmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  static void take_off(int pending) {
    sigset_t one;
    (void)sigemptyset(&one);
    (void)sigaddset(&one, pending);
    ::sigwait(&one, &pending);
  }

  sigset_t pending_, before_;
};

#if defined(__ANDROID__)  // has no cancellation
inline int hold_cancel() {
  return 0;
}

inline void allow_cancel(int) {
}
#else
inline int hold_cancel() {
  int before = 0;
  (void)::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
  return before;
}

inline void allow_cancel(int before) {
  (void)::pthread_setcancelstate(before, nullptr);
}
#endif

class held_cancel : pinned {
 public:
  held_cancel() : before_(hold_cancel()) {}

  ~held_cancel() { allow_cancel(before_); }

 private:
  int before_;
};

inline struct sigaction& interrupt_before() {  // as take_interrupt() has found it
  static struct sigaction before{};
  return before;
}

inline void take_interrupt(signal_handler ours) {
  ::sigaction(SIGINT, nullptr, &interrupt_before());
  if (::signal(SIGINT, ours) == SIG_IGN) {
    ::sigaction(SIGINT, &interrupt_before(), nullptr);
    return;
  }

  struct sigaction now{};
  ::sigaction(SIGINT, nullptr, &now);
  now.sa_flags &= ~SA_RESTART;  // signal() sets it, and a poll is to be broken off
  ::sigaction(SIGINT, &now, nullptr);
}

// A handler that the program has set meanwhile is its own business, and stays as it is. Which one
// is set is asked of signal(): sa_handler is a macro of its own name, of which clang warns.
inline void give_back_interrupt(signal_handler ours) {
  struct sigaction now{};
  ::sigaction(SIGINT, nullptr, &now);
  const bool is_ours = ::signal(SIGINT, ours) == ours;
  ::sigaction(SIGINT, is_ours ? &interrupt_before() : &now, nullptr);
}

inline void keep_interrupt(signal_handler) {
}

#endif  // POSIX
// ---- Windows ------------------------------------------------------------------------------------
#if defined(_WIN32)

inline constexpr const char* libcurl_names[] = {"libcurl-x64.dll", "libcurl.dll", "libcurl-4.dll"};

inline constexpr bool renames_open_files = false;

// What <windows.h> has as macros and structures: each says which one it is, and of which header.
namespace windows {
#if defined(_WIN64)
using ulong_ptr = unsigned long long;  // ULONG_PTR, SIZE_T and DWORD_PTR, basetsd.h
#else
using ulong_ptr = unsigned long;
#endif

inline constexpr unsigned utf8 = 65001;               // CP_UTF8, winnls.h
inline constexpr unsigned long forever = 0xffffffff;  // INFINITE, winbase.h

// LOAD_LIBRARY_SEARCH_APPLICATION_DIR, _USER_DIRS and _SYSTEM32, libloaderapi.h
inline constexpr unsigned long search_application_dir = 0x200;
inline constexpr unsigned long search_user_dirs = 0x400;
inline constexpr unsigned long search_system32 = 0x800;

inline constexpr int lock_or_fail = 2;  // _LK_NBLCK, sys/locking.h
inline constexpr int owner_may = 0600;  // _S_IREAD | _S_IWRITE, sys/stat.h

// MOVEFILE_REPLACE_EXISTING and MOVEFILE_WRITE_THROUGH, winbase.h
inline constexpr unsigned long replace_existing = 0x1;
inline constexpr unsigned long write_through = 0x8;

enum error : unsigned long {  // ERROR_..., winerror.h
  handle_eof = 38,
  bad_exe_format = 193,
  exe_machine_type_mismatch = 216,
  virus_infected = 225,
  virus_deleted = 226,
  elevation_required = 740,
  access_disabled_by_policy = 1260,
  no_system_resources = 1450,
  commitment_limit = 1455
};

struct overlapped {  // OVERLAPPED, minwinbase.h
  ulong_ptr internal, internal_high;
  unsigned long offset, offset_high;
  void* event;
};
}  // namespace windows

inline void* os_handle(int descriptor) {
  return reinterpret_cast<void*>(::_get_osfhandle(descriptor));
}

// What the standard library has no errno for. A program that is there and does not start is not to
// look like one that is not there.
inline int errno_of(unsigned long error) {
  switch (error) {
    case windows::bad_exe_format:
    case windows::exe_machine_type_mismatch: return ENOEXEC;
    case windows::virus_infected:
    case windows::virus_deleted:
    case windows::elevation_required:
    case windows::access_disabled_by_policy: return EACCES;
    case windows::no_system_resources:
    case windows::commitment_limit: return ENOMEM;
    default: return value({static_cast<int>(error), std::system_category()});
  }
}

inline int last_error() {
  return errno_of(::GetLastError());
}

inline fs::path to_path(const std::string& utf8) {
#if defined(__cpp_char8_t)
  return fs::path(std::u8string(utf8.begin(), utf8.end()));
#else
  return fs::u8path(utf8);
#endif
}

// Not by getenv(), which has what the code page of the machine leaves of it.
inline std::string env(const char* name) {
  const std::wstring wide_name(name, name + std::strlen(name));  // our names are ASCII
  const wchar_t* const wide = ::_wgetenv(wide_name.c_str());
  if (!wide || !*wide) return {};

  constexpr int to_its_end = -1;
  const int size = ::WideCharToMultiByte(
      windows::utf8, 0, wide, to_its_end, nullptr, 0, nullptr, nullptr);  // with its final zero
  if (size <= 0) return {};

  std::string text(static_cast<size_t>(size), '\0');
  ::WideCharToMultiByte(windows::utf8, 0, wide, to_its_end, &text[0], size, nullptr, nullptr);
  text.pop_back();
  return text;
}

inline fs::path home_directory() {
  const wchar_t* const home = ::_wgetenv(L"USERPROFILE");
  return home ? fs::path(home) : fs::path();
}

inline fs::path user_cache_directory() {
  return to_path(env("LOCALAPPDATA"));
}

inline int value(const std::error_code& e) {
  const std::error_condition condition = e.default_error_condition();
  return condition.category() == std::generic_category() ? condition.value() : EIO;
}

inline std::tm utc(std::time_t when) {
  std::tm fields{};
  ::gmtime_s(&fields, &when);
  return fields;
}

inline void sleep_ms(int ms) {
  ::Sleep(static_cast<unsigned long>(ms));
}

inline bool is_terminal(std::FILE* stream) {
  return ::_isatty(::_fileno(stream)) != 0;
}

inline void* load(const char* name) {
  constexpr unsigned long where =
      windows::search_application_dir | windows::search_user_dirs | windows::search_system32;
  return ::LoadLibraryExA(name, nullptr, where);
}

inline void* symbol(void* library, const char* name) {
  return reinterpret_cast<void*>(::GetProcAddress(static_cast<HINSTANCE__*>(library), name));
}

inline int close_descriptor(int descriptor) {
  return ::_close(descriptor) == 0 ? 0 : errno;
}

inline bool may_lack_standard_streams() {  // to ask about a closed one would end the program
  return true;
}

inline file open_null_device() {
  return file(::_open("NUL", _O_RDWR | _O_NOINHERIT));
}

inline int open_flags(mode how) {
  constexpr int common = _O_BINARY | _O_NOINHERIT;
  switch (how) {
    case mode::read:
    case mode::link:
    case mode::glance: return common | _O_RDONLY;
    case mode::create: return common | _O_RDWR | _O_CREAT | _O_EXCL;
    case mode::lock: return common | _O_RDWR | _O_CREAT;
    case mode::update: break;
  }
  return common | _O_RDWR;
}

inline int open(const fs::path& path, mode how, file& out) {
  const bool is_only_read = how == mode::read || how == mode::link || how == mode::glance;
  const standard_places held(is_only_read ? places::may_be_taken : places::are_held);

  file opened(::_wopen(path.c_str(), open_flags(how), windows::owner_may));
  const int error = opened.is_open() ? 0 : errno;
  out = std::move(opened);
  return error;
}

inline windows::overlapped place_of(uint64_t offset) {
  windows::overlapped place{};
  place.offset = static_cast<unsigned long>(offset & 0xffffffff);
  place.offset_high = static_cast<unsigned long>(offset >> 32);
  return place;
}

inline std::int64_t read_once(const file& from, uint64_t offset, char* to, size_t size) {
  windows::overlapped place = place_of(offset);
  unsigned long got = 0;
  const int done = ::ReadFile(os_handle(from.descriptor()), to, static_cast<unsigned long>(size),
      &got, reinterpret_cast<_OVERLAPPED*>(&place));
  if (done != 0 || ::GetLastError() == windows::handle_eof) {
    return got;
  }

  errno = last_error();
  return -1;
}

inline std::int64_t write_once(const file& to, uint64_t offset, const char* bytes, size_t size) {
  windows::overlapped place = place_of(offset);
  unsigned long put = 0;
  const int done = ::WriteFile(os_handle(to.descriptor()), bytes, static_cast<unsigned long>(size),
      &put, reinterpret_cast<_OVERLAPPED*>(&place));
  if (done != 0) return put;

  errno = last_error();
  return -1;
}

inline int sync(file& f) {
  return ::_commit(f.descriptor()) == 0 ? 0 : errno;
}

inline int sync_directory(const fs::path&) {
  return 0;
}

inline int sync_slice(file&, uint64_t, uint64_t, bool) {
  return 0;
}

inline bool clone(const file&, file&) {
  return false;
}

inline size_t copy_some(const file&, file&, uint64_t, size_t) {
  return 0;
}

inline int rename(const fs::path& from, const fs::path& to) {
  constexpr unsigned long how = windows::replace_existing | windows::write_through;
  for (int pause = 1;; pause *= 2) {
    if (::MoveFileExW(from.c_str(), to.c_str(), how)) return 0;

    const int error = last_error();
    const bool is_held = error == EACCES || error == EBUSY;
    if (!is_held || pause > 1024) return error;
    sleep_ms(pause);
  }
}

inline int try_lock(file& f) {
  return ::_locking(f.descriptor(), windows::lock_or_fail, 1) == 0 ? 0 : EWOULDBLOCK;
}

struct directory_search {
  std::intptr_t handle;

  bool has_begun() const { return handle != -1; }

  ~directory_search() {
    if (has_begun()) {
      (void)::_findclose(handle);
    }
  }
};

inline int list_names(
    const fs::path& directory, std::string_view prefix, std::vector<std::string>& out) {
  ::_wfinddata_t found;
  const directory_search search{::_wfindfirst((directory / L"*").c_str(), &found)};
  if (!search.has_begun()) return errno;

  do {
    const std::string name = shown(fs::path(found.name));
    if (is_listed(name, prefix)) {
      out.push_back(name);
    }
  } while (::_wfindnext(search.handle, &found) == 0);
  return 0;
}

inline int64_t last_used(const fs::path& path) {
  struct _stat64 found{};
  if (::_wstat64(path.c_str(), &found) != 0) return 0;
  return (std::max)(int64_t{found.st_atime}, int64_t{found.st_mtime});
}

inline bool read_only(const fs::path& path) {
  constexpr int write_permission = 2;  // which io.h has no name for
  return ::_waccess(path.c_str(), write_permission) != 0 && (errno == EACCES || errno == EROFS);
}

inline uint64_t largest_file(const fs::path&) {
  return unknown;
}

inline optional<uint64_t> device_of(const fs::path& path) {
  struct _stat64 found{};
  if (::_wstat64(path.c_str(), &found) != 0) return {};
  return found.st_dev;
}

inline std::string file_system_of(const fs::path&) {
  return {};
}

inline unsigned process_number() {
  return static_cast<unsigned>(::_getpid());
}

inline std::string owner(const std::string&) {
  return "windows";
}

inline bool may_run(const std::string&) {
  return false;
}

inline unsigned __stdcall enter_thread(void* entry) {
  const auto& what = *static_cast<const thread_entry*>(entry);
  what.run(what.with);
  return 0;
}

inline int start_thread(thread_entry& entry, thread_id& out) {
  out = ::_beginthreadex(nullptr, 0, &enter_thread, &entry, 0, nullptr);
  return out != 0 ? 0 : errno;
}

inline void join_thread(thread_id one) {
  void* const handle = reinterpret_cast<void*>(one);
  (void)::WaitForSingleObject(handle, windows::forever);
  (void)::CloseHandle(handle);
}

class quiet_signals : pinned {  // there are none
 public:
  quiet_signals() {}
};

class held_cancel : pinned {  // nobody can
 public:
  held_cancel() {}
};

inline signal_handler& interrupt_before() {  // as take_interrupt() has found it
  static signal_handler before = nullptr;
  return before;
}

inline void take_interrupt(signal_handler ours) {
  interrupt_before() = ::signal(SIGINT, ours);
  if (interrupt_before() == SIG_IGN) {
    ::signal(SIGINT, SIG_IGN);
  }
}

inline void give_back_interrupt(signal_handler ours) {
  const signal_handler now = ::signal(SIGINT, interrupt_before());
  if (now != ours) {
    ::signal(SIGINT, now);
  }
}

inline void keep_interrupt(signal_handler ours) {  // one call uses it up
  ::signal(SIGINT, ours);
}

#endif  // Windows
}  // namespace os

// ==== >>process ==== runs a program beside us, with three pipes and no shell ====
// As in >>os the contract comes first, then a POSIX block and a Windows block. What all systems do
// alike, on top of these, is the class child at the end. It uses >>os.
}  // namespace detail
}  // namespace VQCACHE_ABI_
}  // namespace vqcache

#if defined(_WIN32)
// As <windows.h> declares them: see >>os.
struct _PROCESS_INFORMATION;
struct _PROC_THREAD_ATTRIBUTE_LIST;
struct _SECURITY_ATTRIBUTES;
struct _STARTUPINFOW;
extern "C" {
__declspec(dllimport) int __stdcall CreateProcessW(const wchar_t* program, wchar_t* command_line,
    _SECURITY_ATTRIBUTES* of_process, _SECURITY_ATTRIBUTES* of_thread, int inherit,
    unsigned long flags, void* environment, const wchar_t* directory, _STARTUPINFOW* how,
    _PROCESS_INFORMATION* out);
__declspec(dllimport) void __stdcall DeleteProcThreadAttributeList(
    _PROC_THREAD_ATTRIBUTE_LIST* list);
__declspec(dllimport) int __stdcall GetExitCodeProcess(void* process, unsigned long* out);
__declspec(dllimport) unsigned __stdcall GetSystemDirectoryW(wchar_t* out, unsigned size);
__declspec(dllimport) int __stdcall InitializeProcThreadAttributeList(
    _PROC_THREAD_ATTRIBUTE_LIST* list, unsigned long count, unsigned long flags,
    vqcache::detail::os::windows::ulong_ptr* size);
__declspec(dllimport) int __stdcall UpdateProcThreadAttribute(_PROC_THREAD_ATTRIBUTE_LIST* list,
    unsigned long flags, vqcache::detail::os::windows::ulong_ptr attribute, void* value,
    vqcache::detail::os::windows::ulong_ptr size, void* previous,
    vqcache::detail::os::windows::ulong_ptr* returned);
__declspec(dllimport) int __stdcall PeekNamedPipe(void* pipe, void* to, unsigned long size,
    unsigned long* got, unsigned long* available, unsigned long* left);
__declspec(dllimport) int __stdcall SetHandleInformation(
    void* object, unsigned long which, unsigned long flags);
__declspec(dllimport) int __stdcall TerminateProcess(void* process, unsigned exit_code);
}
#else
#if defined(__CLING__) && !defined(__fortified_attr_access)
#define __fortified_attr_access(access, to, size)
#include <poll.h>
#undef __fortified_attr_access
#endif
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#if defined(__APPLE__)
#include <crt_externs.h>
#endif
#endif
namespace vqcache {
inline namespace VQCACHE_ABI_ {
namespace detail {
namespace process {
using os::file;

// ---- the contract -------------------------------------------------------------------------------

enum class process_id : std::intptr_t { none };  // POSIX: its number; Windows: a handle

// Starts argv[0], found in PATH (Windows: in System32, without its .exe), with `streams` as its
// standard input, output and error, and with no other file of ours. Its arguments arrive as they
// are, its signals as in a program that a shell has started. 0, or an errno value (ENOENT: there is
// no such program); then nothing runs, and `out` is as it was.
int spawn(const std::vector<std::string>& argv, const file (&streams)[3], process_id& out);

// The exit code of a program that ends within so many milliseconds, or none. -1: a signal has ended
// it, or somebody else has waited for it.
optional<int> ended_within(process_id one, int ms);

void kill(process_id one);  // it ends soon, unless it is stuck in the kernel

void forget(process_id one);  // after its end, or instead: it means nothing any more

// A pipe whose ends no started program has too. With POSIX they are none of 0 to 2, and not for a
// moment if the caller holds standard_places.
int make_pipe(file& reading, file& writing);

// Puts all of it into a pipe that nobody reads yet. E2BIG: that is more than a pipe holds, which is
// mostly 64 KiB.
int fill_pipe(const file& writing, std::string_view input);

// What has come through a pipe: how many bytes, 0 at its end, or -1 and errno. It waits if there is
// neither, and a signal does not break it off.
long read_pipe(const file& reading, char* to, size_t size);

struct awaited {
  int descriptor = -1;    // below 0: nothing is awaited
  bool has_news = false;  // bytes, the end of the pipe, or an error
};

// Waits until one of them has news, but so many milliseconds at most; a signal may end it early.
int wait_for_news(awaited* all, unsigned count, int ms);

// ---- POSIX --------------------------------------------------------------------------------------
#if !defined(_WIN32)

#if defined(__APPLE__)
inline char** environment() {
  return *_NSGetEnviron();
}

inline int open_pipe(int (&ends)[2]) {  // without pipe2(): see spawn_flags()
  if (::pipe(ends) != 0) return -1;

  const bool is_ours =
      ::fcntl(ends[0], F_SETFD, FD_CLOEXEC) == 0 && ::fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0;
  return is_ours ? 0 : -1;
}
#else
inline char** environment() {
  return ::environ;
}

inline int open_pipe(int (&ends)[2]) {
  return ::pipe2(ends, O_CLOEXEC);
}
#endif

inline int spawn_flags() {
  constexpr int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
#if defined(POSIX_SPAWN_CLOEXEC_DEFAULT)  // Apple: pipe() there knows no O_CLOEXEC
  return flags | POSIX_SPAWN_CLOEXEC_DEFAULT;
#else
  return flags;
#endif
}

class spawn_actions : os::pinned {  // what the new program does before it begins
 public:
  ~spawn_actions() {
    if (is_made_) {
      ::posix_spawn_file_actions_destroy(&actions_);
    }
  }

  const posix_spawn_file_actions_t* get() const { return &actions_; }

  int give(const file (&streams)[3]) {
    const int error = ::posix_spawn_file_actions_init(&actions_);
    is_made_ = error == 0;
    if (error != 0) return error;

    for (int number = 0; number < 3; ++number) {
      // no pipe of ours is one of 0 to 2: onto itself a descriptor would stay close-on-exec
      const int from = streams[number].descriptor();
      if (const int failed = ::posix_spawn_file_actions_adddup2(&actions_, from, number)) {
        return failed;
      }
    }
    return 0;
  }

 private:
  posix_spawn_file_actions_t actions_{};
  bool is_made_ = false;
};

class spawn_attributes : os::pinned {
 public:
  ~spawn_attributes() {
    if (is_made_) {
      ::posix_spawnattr_destroy(&attributes_);
    }
  }

  const posix_spawnattr_t* get() const { return &attributes_; }

  // quiet_signals blocks some in this thread, and the program may ignore them: the new program is
  // to meet them as one that a shell has started.
  int reset_signals() {
    int error = ::posix_spawnattr_init(&attributes_);
    is_made_ = error == 0;
    if (error != 0) return error;

    sigset_t none, quiet;
    (void)sigemptyset(&none);
    (void)sigemptyset(&quiet);
    (void)sigaddset(&quiet, SIGPIPE);
    (void)sigaddset(&quiet, SIGXFSZ);
    error = ::posix_spawnattr_setsigmask(&attributes_, &none);
    if (error == 0) {
      error = ::posix_spawnattr_setsigdefault(&attributes_, &quiet);
    }
    if (error != 0) return error;

    return ::posix_spawnattr_setflags(&attributes_, static_cast<short>(spawn_flags()));
  }

 private:
  posix_spawnattr_t attributes_{};
  bool is_made_ = false;
};

inline int spawn(const std::vector<std::string>& argv, const file (&streams)[3], process_id& out) {
  spawn_actions actions;
  if (const int error = actions.give(streams)) return error;

  spawn_attributes attributes;
  if (const int error = attributes.reset_signals()) return error;

  list<char*> arguments;
  for (const std::string& one : argv) {
    arguments.push_back(const_cast<char*>(one.c_str()));
  }
  arguments.push_back(nullptr);

  pid_t child = -1;  // after a failure POSIX says nothing about it, hence not `out`
  const int error = ::posix_spawnp(
      &child, arguments[0], actions.get(), attributes.get(), arguments.data(), environment());
  if (error != 0) return error;

  out = process_id{child};
  return 0;
}

inline pid_t number_of(process_id one) {
  return static_cast<pid_t>(one);
}

inline optional<int> ended_within(process_id one, int ms) {
  constexpr int longest_pause = 50;
  const auto until = clock::now() + std::chrono::milliseconds(ms);
  for (int pause = 1;; pause = (std::min)(2 * pause, longest_pause)) {
    int state = 0;
    const pid_t got = os::again([&] { return ::waitpid(number_of(one), &state, WNOHANG); });
    if (got < 0) return -1;
    if (got > 0) return WIFEXITED(state) ? WEXITSTATUS(state) : -1;
    if (clock::now() >= until) return {};

    os::sleep_ms(pause);
  }
}

inline void kill(process_id one) {
  (void)::kill(number_of(one), SIGKILL);
}

inline void forget(process_id) {
}

inline int make_pipe(file& reading, file& writing) {
  int ends[2] = {-1, -1};
  const int made = open_pipe(ends);
  const int error = made == 0 ? 0 : errno;
  file both[2] = {file(ends[0]), file(ends[1])};
  if (error != 0) return error;

  reading = os::above_standard_streams(std::move(both[0]));
  if (!reading.is_open()) return errno;

  writing = os::above_standard_streams(std::move(both[1]));
  return writing.is_open() ? 0 : errno;
}

inline int fill_pipe(const file& writing, std::string_view input) {
  if (::fcntl(writing.descriptor(), F_SETFL, O_NONBLOCK) < 0) {
    return errno;
  }

  while (!input.empty()) {
    const ::ssize_t put =
        os::again([&] { return ::write(writing.descriptor(), input.data(), input.size()); });
    if (put <= 0) return E2BIG;
    input.remove_prefix(static_cast<size_t>(put));
  }
  return 0;
}

inline long read_pipe(const file& reading, char* to, size_t size) {
  return os::again([&] { return ::read(reading.descriptor(), to, size); });
}

inline int wait_for_news(awaited* all, unsigned count, int ms) {
  list<pollfd> entries(count);
  for (unsigned i = 0; i < count; ++i) {
    entries[i].fd = all[i].descriptor;
    entries[i].events = POLLIN;
  }

  const int ready = ::poll(entries.data(), count, ms);
  const int error = ready < 0 && errno != EINTR ? errno : 0;
  for (unsigned i = 0; i < count; ++i) {
    all[i].has_news = ready > 0 && entries[i].revents != 0;
  }
  return error;
}

#endif  // POSIX
// ---- Windows ------------------------------------------------------------------------------------
#if defined(_WIN32)

namespace windows {                                    // as os::windows
inline constexpr unsigned max_path = 260;              // MAX_PATH, minwindef.h
inline constexpr unsigned long handle_inherit = 0x1;   // HANDLE_FLAG_INHERIT, winbase.h
inline constexpr unsigned long object_signaled = 0x0;  // WAIT_OBJECT_0, winbase.h

// PROC_THREAD_ATTRIBUTE_HANDLE_LIST, STARTF_USESTDHANDLES, CREATE_NO_WINDOW and
// EXTENDED_STARTUPINFO_PRESENT, winbase.h
inline constexpr std::uint32_t attribute_handle_list = 0x20002;
inline constexpr unsigned long use_std_handles = 0x100;
inline constexpr unsigned long create_no_window = 0x08000000;
inline constexpr unsigned long extended_startup = 0x00080000;

struct startup_info_ex {  // STARTUPINFOEXW, winbase.h, which begins with a STARTUPINFOW
  unsigned long size;
  wchar_t *reserved, *desktop, *title;
  unsigned long x, y, width, height, columns, rows, colours;
  unsigned long flags;
  unsigned short show, more_size;
  unsigned char* more;
  void *input, *output, *error;
  void* attributes;
};

struct process_information {  // PROCESS_INFORMATION, processthreadsapi.h
  void *process, *thread;
  unsigned long process_number, thread_number;
};
}  // namespace windows

// What CreateProcess passes on: these handles, and none of another pipe that happens to be there. A
// program that another thread starts at this moment would else hold the ends of our pipes, and we
// would never see their end.
class handle_list : os::pinned {
 public:
  ~handle_list() {
    if (is_made_) {
      ::DeleteProcThreadAttributeList(get());
    }
  }

  _PROC_THREAD_ATTRIBUTE_LIST* get() {
    return reinterpret_cast<_PROC_THREAD_ATTRIBUTE_LIST*>(bytes_.data());
  }

  int set(void* (&handles)[3]) {  // which have to outlive it
    os::windows::ulong_ptr size = 0;
    (void)::InitializeProcThreadAttributeList(nullptr, 1, 0, &size);  // asks for the size
    bytes_.resize(size);
    is_made_ = ::InitializeProcThreadAttributeList(get(), 1, 0, &size) != 0;
    if (!is_made_) return os::last_error();

    const int done = ::UpdateProcThreadAttribute(
        get(), 0, windows::attribute_handle_list, &handles[0], sizeof handles, nullptr, nullptr);
    return done != 0 ? 0 : os::last_error();
  }

 private:
  list<char> bytes_{};
  bool is_made_ = false;
};

class inheritable : os::pinned {  // these handles, while it lives
 public:
  explicit inheritable(void* (&handles)[3]) : handles_(handles) { set(windows::handle_inherit); }

  ~inheritable() { set(0); }

 private:
  void set(unsigned long to) {
    for (void* one : handles_)
      (void)::SetHandleInformation(one, windows::handle_inherit, to);
  }

  void* (&handles_)[3];
};

// One argument as the C library of the program takes the line apart: backslashes stand for
// themselves, but before a quote, and a quote of the argument has one before it.
inline std::wstring quoted(const std::wstring& argument) {
  std::wstring text = L"\"";
  size_t backslashes = 0;  // just before
  for (const wchar_t c : argument) {
    if (c == L'"') {
      text.append(backslashes + 1, L'\\');
    }
    backslashes = c == L'\\' ? backslashes + 1 : 0;
    text += c;
  }
  text.append(backslashes, L'\\');
  return text + L'"';
}

inline std::wstring quoted_command_line(const std::vector<std::string>& argv) {
  std::wstring line;
  for (const std::string& one : argv) {
    if (!line.empty()) {
      line += L' ';
    }
    line += quoted(os::to_path(one).wstring());
  }
  return line;
}

inline int spawn(const std::vector<std::string>& argv, const file (&streams)[3], process_id& out) {
  wchar_t system_directory[windows::max_path] = L"";
  if (::GetSystemDirectoryW(&system_directory[0], windows::max_path) == 0) {
    return os::last_error();
  }
  const std::wstring program =
      system_directory + (L"\\" + os::to_path(argv[0]).wstring()) + L".exe";
  std::wstring command_line = quoted_command_line(argv);

  void* handles[3];
  for (size_t number = 0; number < 3; ++number)
    handles[number] = os::os_handle(streams[number].descriptor());
  handle_list only_these;
  if (const int error = only_these.set(handles)) return error;

  windows::startup_info_ex how{};
  how.size = sizeof how;
  how.flags = windows::use_std_handles;
  how.input = handles[0];
  how.output = handles[1];
  how.error = handles[2];
  how.attributes = only_these.get();

  constexpr unsigned long flags = windows::create_no_window | windows::extended_startup;
  constexpr int inherit = 1;
  const inheritable now(handles);
  windows::process_information child{};
  const int started = ::CreateProcessW(program.c_str(), &command_line[0], nullptr, nullptr, inherit,
      flags, nullptr, nullptr, reinterpret_cast<_STARTUPINFOW*>(&how),
      reinterpret_cast<_PROCESS_INFORMATION*>(&child));
  if (started == 0) return os::last_error();

  (void)::CloseHandle(child.thread);
  out = process_id{reinterpret_cast<std::intptr_t>(child.process)};
  return 0;
}

inline void* handle_of(process_id one) {
  return reinterpret_cast<void*>(one);
}

inline optional<int> ended_within(process_id one, int ms) {
  const unsigned long waited =
      ::WaitForSingleObject(handle_of(one), static_cast<unsigned long>(ms));
  if (waited != windows::object_signaled) return {};

  unsigned long code = 1;
  (void)::GetExitCodeProcess(handle_of(one), &code);
  return static_cast<int>(code);
}

inline void kill(process_id one) {
  (void)::TerminateProcess(handle_of(one), 1);
}

inline void forget(process_id one) {
  (void)::CloseHandle(handle_of(one));
}

inline constexpr unsigned pipe_room = 1 << 20;

inline int make_pipe(file& reading, file& writing) {
  int ends[2] = {-1, -1};
  if (::_pipe(ends, pipe_room, _O_BINARY | _O_NOINHERIT) != 0) {
    return errno;
  }

  reading = file(ends[0]);
  writing = file(ends[1]);
  return 0;
}

inline int fill_pipe(const file& writing, std::string_view input) {
  if (input.size() > pipe_room) return E2BIG;  // a full pipe would wait for a reader for ever

  while (!input.empty()) {
    const int put =
        ::_write(writing.descriptor(), input.data(), static_cast<unsigned>(input.size()));
    if (put <= 0) return E2BIG;
    input.remove_prefix(static_cast<size_t>(put));
  }
  return 0;
}

inline long read_pipe(const file& reading, char* to, size_t size) {
  return ::_read(reading.descriptor(), to, static_cast<unsigned>(size));
}

inline bool has_news(int descriptor) {
  unsigned long available = 0;
  const int is_there =
      ::PeekNamedPipe(os::os_handle(descriptor), nullptr, 0, nullptr, &available, nullptr);
  return is_there == 0 || available > 0;
}

inline int wait_for_news(awaited* all, unsigned count, int ms) {  // no call waits for several pipes
  constexpr int pause = 5;
  for (int waited = 0;; waited += pause) {
    bool has_any = false;
    for (awaited* one = all; one != all + count; ++one) {
      one->has_news = one->descriptor >= 0 && has_news(one->descriptor);
      has_any = has_any || one->has_news;
    }
    if (has_any || waited >= ms) return 0;
    os::sleep_ms(pause);
  }
}

#endif  // Windows
// ---- what all systems do alike ------------------------------------------------------------------

// A program, from its start to its end. It gets its input before it starts, so that nothing has to
// be written while it runs; wait() and read() bring what it writes; what it says of errors is kept.
// A program that has not ended by itself is killed by the destructor. For one thread at a time.
class child : os::pinned {
 public:
  child() = default;

  ~child() { (void)abandon(); }

  // E2BIG: the input is more than a pipe holds. As spawn() otherwise.
  int start(const std::vector<std::string>& argv, std::string_view input) {
    file streams[3], to_input;
    if (const int error = make_pipes(streams, to_input)) {
      return error;
    }
    if (const int error = fill_pipe(to_input, input)) return error;
    return spawn(argv, streams, id_);
  }

  static void wait(const list<child*>& several, int ms) {  // or until one has news
    list<awaited> pipes;
    for (const child* one : several) {
      pipes.push_back({one->out_.descriptor(), false});
      pipes.push_back({one->err_.descriptor(), false});
    }

    const auto count = static_cast<unsigned>(pipes.size());
    const bool is_broken = wait_for_news(pipes.data(), count, ms) != 0;
    const awaited* next = pipes.data();
    for (child* one : several) {
      const bool has_output = next[0].has_news, has_errors = next[1].has_news;
      next += 2;
      one->has_news_ = has_output || is_broken;
      if (has_errors) {
        one->keep_errors();
      }
      if (is_broken) {
        one->kill_it();
      }
    }
  }

  // Once after each wait(): how many bytes, 0: its output has ended, -1: there is nothing yet.
  long read(char* to, size_t size) {
    if (!has_news_) return -1;

    has_news_ = false;
    const long got = read_pipe(out_, to, size);
    if (got >= 0) return got;
    kill_it();
    return 0;
  }

  // Waits for its end, but not for long: the exit code, or -1.
  int finish() {
    if (!is_started()) return -1;

    out_.close();  // one that still writes there is to end
    optional<int> code;
    if (hear_last_words()) {
      code = ended_within(id_, patience);
    }
    return code ? let_go(code) : abandon();
  }

  // Ends it now; the exit code, if it was quicker, or -1.
  int abandon() {
    if (!is_started()) return -1;

    out_.close();
    kill_it();
    return let_go(ended_within(id_, patience));
  }

  const std::string& errors() const { return errors_; }

 private:
  static constexpr int patience = 5000;  // ms: a loaded machine takes its time to end a program
  static constexpr size_t enough_errors = 4096;

  int make_pipes(file (&streams)[3], file& to_input) {
    const os::standard_places held;
    int error = make_pipe(streams[0], to_input);
    if (error == 0) {
      error = make_pipe(out_, streams[1]);
    }
    if (error == 0) {
      error = make_pipe(err_, streams[2]);
    }
    return error;
  }

  bool is_started() const { return id_ != process_id::none; }

  void kill_it() {  // no end of it may look like success
    if (is_started()) {
      kill(id_);
    }
  }

  int let_go(optional<int> code) {
    forget(id_);
    id_ = process_id::none;
    return code.value_or(-1);
  }

  void keep_errors() {
    char text[16384];
    const long got = read_pipe(err_, text, sizeof text);
    if (got <= 0) {
      err_.close();
      return;
    }

    if (errors_.size() < enough_errors) {
      errors_.append(text, static_cast<size_t>(got));
    }
  }

  // false: it closes its errors not even now. One may close its pipes and live on, too, or be stuck
  // in the kernel where no signal reaches it.
  bool hear_last_words() {
    constexpr int rounds = 21, round_ms = 100;
    for (int round = 0; err_.is_open(); ++round) {
      if (round == rounds) return false;
      wait({this}, round_ms);
    }
    return true;
  }

  file out_{}, err_{};
  process_id id_ = process_id::none;
  bool has_news_ = false;  // its output, since wait() and until read()
  std::string errors_{};
};
}  // namespace process

// ==== >>hash ==== computes a digest: the system's library where there is one, else portable ====
//
// SHA-256 alone vouches for bytes. The system's code is several times faster, and is loaded at run
// time, so that nothing has to be linked; both give the same digest, or none and say so. Checksums
// of blocks are kept beside it, which only find what is damaged. It uses >>os and >>formats.
namespace hash {
// ---- the system's library, loaded at the first digest and never unloaded

struct engine {
  // Who keeps what was hashed so far: our own code; a context that is ours, and which the library
  // fills (libcrypto, CommonCrypto); or the library itself, behind a handle (BCrypt).
  enum class keeper { portable, context, handle };

  keeper kept_by = keeper::portable;
  const char* library = "";  // as it was loaded
  void* begin = nullptr;
  void* add = nullptr;
  void* end = nullptr;
  void* free = nullptr;  // of a handle
};

struct library_names {
  const char* file;  // empty: the process has it already
  const char *begin, *add, *end;
  const char* free;  // null: it has contexts, and nothing is to be freed
};

// Nothing is found in it: kept_by stays portable.
inline engine engine_of(const library_names& names) {
  void* const library = *names.file ? os::load(names.file) : nullptr;
  if (*names.file && !library) return {};

  engine found;
  found.begin = os::symbol(library, names.begin);
  found.add = os::symbol(library, names.add);
  found.end = os::symbol(library, names.end);
  found.free = names.free ? os::symbol(library, names.free) : nullptr;
  const bool is_complete = found.begin && found.add && found.end && (found.free || !names.free);
  if (!is_complete) return {};

  found.kept_by = names.free ? engine::keeper::handle : engine::keeper::context;
  found.library = *names.file ? names.file : "CommonCrypto";
  return found;
}

inline engine find_engine() {
  static constexpr library_names all[] = {
      {"libcrypto.so.3", "SHA256_Init", "SHA256_Update", "SHA256_Final", nullptr},
      {"libcrypto.so.1.1", "SHA256_Init", "SHA256_Update", "SHA256_Final", nullptr},
      {"", "CC_SHA256_Init", "CC_SHA256_Update", "CC_SHA256_Final", nullptr},
      {"bcrypt.dll", "BCryptCreateHash", "BCryptHashData", "BCryptFinishHash",
          "BCryptDestroyHash"}};
  for (const library_names& names : all) {
    // Windows of 32 bits calls its functions in another way
    const bool can_be_called = !names.free || sizeof(void*) == 8;
    const engine found = can_be_called ? engine_of(names) : engine();
    if (found.kept_by != engine::keeper::portable) return found;
  }
  return {};
}

inline const engine& system_engine() {
  static const engine found = find_engine();
  return found;
}

// ---- where the system has none

inline constexpr uint64_t round_constants[32] = {  // two in each (FIPS 180-4, 4.2.2)
    0x428a2f9871374491, 0xb5c0fbcfe9b5dba5, 0x3956c25b59f111f1, 0x923f82a4ab1c5ed5,
    0xd807aa9812835b01, 0x243185be550c7dc3, 0x72be5d7480deb1fe, 0x9bdc06a7c19bf174,
    0xe49b69c1efbe4786, 0x0fc19dc6240ca1cc, 0x2de92c6f4a7484aa, 0x5cb0a9dc76f988da,
    0x983e5152a831c66d, 0xb00327c8bf597fc7, 0xc6e00bf3d5a79147, 0x06ca635114292967,
    0x27b70a852e1b2138, 0x4d2c6dfc53380d13, 0x650a7354766a0abb, 0x81c2c92e92722c85,
    0xa2bfe8a1a81a664b, 0xc24b8b70c76c51a3, 0xd192e819d6990624, 0xf40e3585106aa070,
    0x19a4c1161e376c08, 0x2748774c34b0bcb5, 0x391c0cb34ed8aa4a, 0x5b9cca4f682e6ff3,
    0x748f82ee78a5636f, 0x84c878148cc70208, 0x90befffaa4506ceb, 0xbef9a3f7c67178f2};

class portable_sha256 {  // FIPS 180-4
 public:
  void start() {
    const std::uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
        0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    std::memcpy(state_, initial, sizeof state_);
    length_ = 0;
  }

  void add(unsigned char byte) {
    std::uint32_t& word = block_[length_ / 4 % 16];
    word = word << 8 | byte;
    ++length_;
    if (length_ % 64 == 0) {
      compress();
    }
  }

  void end(unsigned char (&digest)[32]) {
    const uint64_t bits = length_ * 8;
    add(0x80);  // one bit, zeros, and the length in bits
    while (length_ % 64 != 56) {
      add(0);
    }
    for (int shift = 56; shift >= 0; shift -= 8) {
      add(static_cast<unsigned char>(bits >> shift));
    }

    for (size_t i = 0; i < 32; ++i) {
      digest[i] = static_cast<unsigned char>(state_[i / 4] >> (24 - i % 4 * 8));
    }
  }

 private:
  static std::uint32_t rotated(std::uint32_t x, int n) { return x >> n | x << (32 - n); }

  void compress() {
    std::uint32_t w[64];
    std::memcpy(w, block_, sizeof block_);
    for (size_t i = 16; i < 64; ++i) {
      const std::uint32_t x = w[i - 15], y = w[i - 2];
      const std::uint32_t s0 = rotated(x, 7) ^ rotated(x, 18) ^ x >> 3;
      const std::uint32_t s1 = rotated(y, 17) ^ rotated(y, 19) ^ y >> 10;
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }

    std::uint32_t v[8];  // a to h of the standard
    std::memcpy(v, state_, sizeof v);
    for (size_t i = 0; i < 64; ++i) {
      round(v, w[i], static_cast<std::uint32_t>(round_constants[i / 2] >> (i % 2 ? 0 : 32)));
    }
    for (size_t i = 0; i < 8; ++i) {
      state_[i] += v[i];
    }
  }

  static void round(std::uint32_t (&v)[8], std::uint32_t word, std::uint32_t constant) {
    const std::uint32_t a = v[0], b = v[1], c = v[2];
    const std::uint32_t e = v[4], f = v[5], g = v[6], h = v[7];
    const std::uint32_t s1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25);
    const std::uint32_t s0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22);
    const std::uint32_t choice = (e & f) ^ (~e & g);
    const std::uint32_t majority = (a & b) ^ (a & c) ^ (b & c);
    const std::uint32_t t = h + s1 + choice + constant + word;

    std::memmove(v + 1, v, 7 * sizeof v[0]);
    v[4] += t;
    v[0] = t + s0 + majority;
  }

  uint64_t length_ = 0;
  std::uint32_t state_[8] = {}, block_[16] = {};
};

// ---- the digest

class sha256 : os::pinned {
 public:
  enum class by { system, our_code };

  explicit sha256(by whom = by::system) : by_(whom) {}

  ~sha256() { drop(); }

  // Begins anew. Where the system's library refuses, our own code does it.
  sha256& start() {
    drop();
    has_failed_ = false;
    engine_ = by_ == by::system ? system_engine() : engine();
    if (!begin_with_system()) {
      engine_ = engine();
    }
    ours_.start();
    return *this;
  }

  sha256& update(const char* data, size_t size) {  // blocks are small: some take 32 bits of a size
    switch (engine_.kept_by) {
      case engine::keeper::handle: {
        const auto bytes = static_cast<std::uint32_t>(size);
        note(os::call<long>(engine_.add, handle_, data, bytes, 0UL) == bcrypt_success);
        break;
      }
      case engine::keeper::context:
        note(os::call<int>(engine_.add, &context_[0], data, size) == crypto_success);
        break;
      case engine::keeper::portable:
        for (size_t i = 0; i < size; ++i) {
          ours_.add(static_cast<unsigned char>(data[i]));
        }
        break;
    }
    return *this;
  }

  string hex() {  // ends it; empty: the system's library failed
    unsigned char digest[32] = {};
    switch (engine_.kept_by) {
      case engine::keeper::handle:
        note(os::call<long>(engine_.end, handle_, &digest[0], 32UL, 0UL) == bcrypt_success);
        break;
      case engine::keeper::context:
        note(os::call<int>(engine_.end, &digest[0], &context_[0]) == crypto_success);
        break;
      case engine::keeper::portable: ours_.end(digest); break;
    }
    if (has_failed_) return {};

    string text;
    for (const unsigned char byte : digest) {
      text += strings::hex(byte, 2);
    }
    return text;
  }

 private:
  static constexpr int crypto_success = 1;   // of libcrypto, and of CommonCrypto
  static constexpr long bcrypt_success = 0;  // STATUS_SUCCESS

  void note(bool has_worked) { has_failed_ = has_failed_ || !has_worked; }

  bool begin_with_system() {
    if (engine_.kept_by == engine::keeper::context) {
      return os::call<int>(engine_.begin, &context_[0]) == crypto_success;
    }
    if (engine_.kept_by == engine::keeper::portable) return true;

    void* const none = nullptr;
    void* const algorithm = reinterpret_cast<void*>(0x41);  // BCRYPT_SHA256_ALG_HANDLE (bcrypt.h)
    return os::call<long>(engine_.begin, algorithm, &handle_, none, 0UL, none, 0UL, 0UL)
        == bcrypt_success;
  }

  void drop() {
    if (handle_) {
      os::call<long>(engine_.free, std::exchange(handle_, nullptr));
    }
  }

  by by_;
  engine engine_{};
  bool has_failed_ = false;                     // the system's library, since start()
  void* handle_ = nullptr;                      // BCrypt's
  alignas(8) unsigned char context_[128] = {};  // of libcrypto, 112 bytes, or CommonCrypto, 104
  portable_sha256 ours_{};
};

// ---- the checksums of blocks, which find what is damaged in a file

// XXH64 (the xxHash specification 0.1.1), seed 0: "xxhsum -H1" tells the same of a block. It is no
// protection against anybody, and need not be, since the SHA-256 of the mended file decides. It is
// here because it costs a tenth of a fast SHA-256; CRC-32 by tables would cost as much as that.
class xxh64 {
 public:
  void start() {
    const uint64_t initial[4] = {prime1 + prime2, prime2, 0, 0 - prime1};
    std::memcpy(lanes_, initial, sizeof lanes_);
    length_ = 0;
    kept_ = 0;
  }

  void update(std::string_view bytes) {
    length_ += bytes.size();
    if (kept_ > 0) {
      const std::string_view first = bytes.substr(0, stripe - kept_);
      keep(first);
      bytes.remove_prefix(first.size());
    }
    if (kept_ == stripe) {
      take({waiting_, stripe});
      kept_ = 0;
    }

    const size_t whole = bytes.size() / stripe * stripe;
    take(bytes.substr(0, whole));
    keep(bytes.substr(whole));
  }

  uint64_t value() const {
    uint64_t sum = length_ < stripe ? prime5 : merged();
    sum += length_;
    const char* at = waiting_;
    const char* const end = at + kept_;
    for (; end - at >= 8; at += 8) {
      sum = rotated(sum ^ round(0, word(at)), 27) * prime1 + prime4;
    }
    if (end - at >= 4) {
      sum = rotated(sum ^ half_word(at) * prime1, 23) * prime2 + prime3;
      at += 4;
    }
    for (; at != end; ++at) {
      sum = rotated(sum ^ static_cast<unsigned char>(*at) * prime5, 11) * prime1;
    }
    sum = (sum ^ sum >> 33) * prime2;
    sum = (sum ^ sum >> 29) * prime3;
    return sum ^ sum >> 32;
  }

 private:
  enum : size_t { stripe = 32 };

  static constexpr uint64_t prime1 = 0x9e3779b185ebca87, prime2 = 0xc2b2ae3d27d4eb4f;
  static constexpr uint64_t prime3 = 0x165667b19e3779f9, prime4 = 0x85ebca77c2b2ae63;
  static constexpr uint64_t prime5 = 0x27d4eb2f165667c5;

  static uint64_t rotated(uint64_t x, int n) { return x << n | x >> (64 - n); }

  static uint64_t round(uint64_t lane, uint64_t word) {
    return rotated(lane + word * prime2, 31) * prime1;
  }

  static bool is_little_endian() {
    const uint64_t one = 1;
    char first = 0;
    std::memcpy(&first, &one, 1);
    return first == 1;
  }

  static uint64_t half_word(const char* at) {  // little-endian
    uint64_t word = 0;
    for (size_t i = 4; i-- > 0;) {
      word = word << 8 | static_cast<unsigned char>(at[i]);
    }
    return word;
  }

  static uint64_t word(const char* at) {
    if (!is_little_endian()) return half_word(at) | half_word(at + 4) << 32;
    uint64_t word = 0;  // a compiler makes one instruction of it, and not of the above
    std::memcpy(&word, at, sizeof word);
    return word;
  }

  void take(std::string_view stripes) {
    uint64_t a = lanes_[0], b = lanes_[1], c = lanes_[2], d = lanes_[3];
    const char* at = stripes.data();
    for (size_t left = stripes.size(); left > 0; left -= stripe) {
      a = round(a, word(at));
      b = round(b, word(at + 8));
      c = round(c, word(at + 16));
      d = round(d, word(at + 24));
      at += stripe;
    }
    const uint64_t now[4] = {a, b, c, d};
    std::memcpy(lanes_, now, sizeof lanes_);
  }

  void keep(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(waiting_ + kept_, bytes.data(), bytes.size());
    kept_ += bytes.size();
  }

  uint64_t merged() const {
    uint64_t sum = rotated(lanes_[0], 1) + rotated(lanes_[1], 7) + rotated(lanes_[2], 12)
        + rotated(lanes_[3], 18);
    for (const uint64_t lane : lanes_) {
      sum = (sum ^ round(0, lane)) * prime1 + prime4;
    }
    return sum;
  }

  uint64_t lanes_[4] = {};
  uint64_t length_ = 0;
  char waiting_[stripe] = {};  // what is no whole stripe yet
  size_t kept_ = 0;            // bytes of it
};

// Of each block of a file, whose bytes come in order.
class block_sums {
 public:
  void start() {
    sums_.clear();
    sum_.start();
    in_block_ = 0;
    state_ = state::complete;
  }

  void update(std::string_view bytes) noexcept {  // without memory: there will be none
    while (!bytes.empty()) {
      const std::string_view part = bytes.substr(0, formats::block_size - in_block_);
      sum_.update(part);
      in_block_ += part.size();
      bytes.remove_prefix(part.size());
      if (in_block_ == formats::block_size) {
        end_block();
      }
    }
  }

  list<uint64_t> all() {  // ends it
    if (in_block_ > 0) {
      end_block();
    }
    const bool is_worth_a_line = state_ == state::complete && sums_.size() > 1;
    return is_worth_a_line ? sums_ : list<uint64_t>();
  }

 private:
  enum class state { complete, given_up };

  void end_block() noexcept {
    const bool is_kept = error::attempt([this] { sums_.push_back(sum_.value()); });
    if (!is_kept) {
      state_ = state::given_up;
    }
    sum_.start();
    in_block_ = 0;
  }

  list<uint64_t> sums_{};
  xxh64 sum_{};
  size_t in_block_ = 0;
  state state_ = state::complete;
};

inline string of(std::string_view bytes) {
  return sha256().start().update(bytes.data(), bytes.size()).hex();
}

// Of a URL, for a receipt: without its secrets, and by our own code, since a hit loads no library.
// Empty: it is a path.
inline string of_address(std::string_view url) {
  constexpr size_t shown = 16;  // hex digits: only two addresses of one file are to differ
  const string known = urls::reduced(url);
  if (known.empty()) return {};

  sha256 by_us(sha256::by::our_code);
  return by_us.start().update(known.data(), known.size()).hex().substr(0, shown);
}
}  // namespace hash

// ==== >>ranges ==== which bytes of a file are missing: arithmetic of byte ranges ====
//
// Here belongs what can be said of ranges of bytes without a file: a set of them, and which bytes
// of a file of some size are to come. It uses >>formats for the range itself, promises sorted
// ranges that neither overlap nor touch, and is tested by brute force (tests/unit/ranges.cpp).
namespace ranges {
using byte_range = formats::range;  // from `at`, which is in it, to `end`, which is not
using formats::endless;

inline size_t smaller(uint64_t a, uint64_t b) {
  return size_t((std::min)(a, b));
}

inline uint64_t size_of(const byte_range& one) {
  return one.end > one.at ? one.end - one.at : 0;
}

// Numbers of bytes, as sorted ranges that neither overlap nor touch; an empty range is none.
class range_set {
 public:
  range_set() = default;

  explicit range_set(const byte_range& one) { add(one); }

  explicit range_set(const formats::ranges& several) {
    for (const byte_range& one : several) {
      add(one);
    }
  }

  void reserve(size_t count) { all_.reserve(count); }  // then add and remove need no memory

  void clear() noexcept { all_.clear(); }

  void add(byte_range more) {
    if (size_of(more) == 0) return;

    const auto first = std::find_if(
        all_.begin(), all_.end(), [&more](const byte_range& r) { return r.end >= more.at; });
    auto last = first;
    for (; last != all_.end() && last->at <= more.end; ++last) {  // what it joins
      more.at = (std::min)(more.at, last->at);
      more.end = (std::max)(more.end, last->end);
    }

    if (first == last) {
      all_.insert(first, more);
      return;
    }
    *first = more;
    all_.erase(first + 1, last);
  }

  void remove(const byte_range& less) {
    if (size_of(less) == 0) return;

    auto first = std::find_if(
        all_.begin(), all_.end(), [&less](const byte_range& r) { return r.end > less.at; });
    if (first == all_.end()) return;

    if (first->at < less.at && first->end > less.end) {  // its middle: two remain
      const byte_range before{first->at, less.at};
      first = all_.insert(first, before);
      first[1].at = less.end;
      return;
    }
    if (first->at < less.at) {
      first->end = less.at;
      ++first;
    }

    auto last = first;
    while (last != all_.end() && last->end <= less.end) {
      ++last;
    }
    if (last != all_.end()) {
      last->at = (std::max)(last->at, less.end);
    }
    all_.erase(first, last);
  }

  // To so many at most, over the shortest of what is between two.
  void join_to(size_t most) {
    while (all_.size() > (std::max)(most, size_t{1})) {
      byte_range shortest{all_[0].end, all_[1].at};
      for (size_t i = 1; i + 1 < all_.size(); ++i) {
        const byte_range between{all_[i].end, all_[i + 1].at};
        if (size_of(between) < size_of(shortest)) {
          shortest = between;
        }
      }
      add(shortest);
    }
  }

  bool is_empty() const { return all_.empty(); }

  bool overlaps(const byte_range& with) const {
    for (const byte_range& r : all_) {
      if ((std::max)(r.at, with.at) < (std::min)(r.end, with.end)) {
        return true;
      }
    }
    return false;
  }

  uint64_t first_gap() const { return all_.empty() ? endless : all_.front().at; }

  uint64_t total() const {
    uint64_t bytes = 0;
    for (const byte_range& r : all_) {
      bytes += r.end - r.at;
    }
    return bytes;
  }

  const formats::ranges& all() const { return all_; }

 private:
  formats::ranges all_{};
};

// What is to come of a file that has `size` bytes on the disk and is to have `total` (0: not
// known), when `told` is what has not come of it as far as it reaches.
inline range_set gaps_within(const formats::ranges& told, uint64_t size, uint64_t total) {
  range_set gaps(told);
  gaps.add({size, endless});
  if (total != 0) {
    gaps.remove({total, endless});
  }
  return gaps;
}
}  // namespace ranges

using ranges::byte_range, ranges::range_set, ranges::smaller;

// ==== >>journal ==== what stands beside an unfinished file for a later call to continue it ====
//
// `.NAME.XXXX.record` tells of `.NAME.XXXX.part` whose it is, which file it is to become, which of
// its bytes have not come ("todo"), which a power cut may have taken ("safe"), and that its call
// has ended ("released"). Here belong the writing of it, and the judgement of what other calls have
// left: whether that is nobody's, and of the wanted file. The words themselves are in >>formats.
namespace journal {
// The journal of the file that this call is writing.
//
//   none --create--> owned --describe--> described        leave(), remove(): none, from every state
//
// A line is added at the end, or written over the one of its kind, in place: it is written again
// and again while bytes arrive. One thread brings bytes and another syncs them, so that each line
// is written under a mutex.
class journal_file : os::pinned {
 public:
  bool is_described() const { return state_ == state::described; }

  bool has_todo() const { return todo_.at != 0; }

  // The file, and in it whose it is. A failure is told of the file that is to come.
  status create(const fs::path& path, const fs::path& final_path) {
    const string owner = os::owner();  // before: it is to be empty for no longer than it must
    path_ = path;
    const int opened = os::open(path_, os::mode::create, record_);
    VQCACHE_NEED_(error::system(opened, "create", final_path));

    become(state::owned);
    return error::system(add(owner), "write", final_path);
  }

  // ---- its lines: 0, or an errno value

  int describe(const formats::identity& id) {  // which file it is to become
    string lines = join({"url ", id.url});
    if (!id.pin.empty()) {
      lines += join({"\npin ", id.pin});
    }
    if (!id.validator.empty()) {
      lines += join({"\nvalidator ", id.validator});
    }
    if (!id.declared.empty()) {
      lines += join({"\n", line_of_declared(id)});
    }
    lines += join({"\ntotal ", id.total});

    const int failed = add(lines);
    if (failed == 0) {
      become(state::described);
    }
    return failed;
  }

  int note_declared(const formats::identity& id) { return add(line_of_declared(id)); }

  // What has not come. While that is the end of the file alone, the file's own size tells it, and
  // no line is needed; once there is one it always has to be right.
  int note_missing(const range_set& missing) { return note_missing(missing, has_todo()); }

  int note_gaps(const range_set& missing) { return note_missing(missing, true); }

  string missing() const {  // as noted last
    const std::lock_guard<std::mutex> one(mutex_);
    return missing_;
  }

  // All but this, which missing() told before the bytes were synced, is safe from a power cut.
  void note_safe(const string& missing) {
    if (write("safe " + missing, &safe_) == 0) {
      (void)os::sync(record_);
    }
  }

  int note_released() { return add("released"); }  // else it is free when this process has ended

  // Until there is more to write: a set has many files, and a process few descriptors.
  void rest() noexcept { (void)record_.close(); }

  void leave() noexcept {  // on the disk, for a later call
    (void)record_.close();
    become(state::none);
    todo_ = safe_ = line();
    size_ = 0;
    missing_.clear();
  }

  void remove() noexcept {
    (void)record_.close();
    if (state_ != state::none) {
      (void)os::unlink(path_);
    }
    leave();
  }

 private:
  enum class state { none, owned, described };

  struct line {
    uint64_t at = 0;  // 0: there is none, since the owner's is the first
    size_t size = 0;
  };

  void become(state next) noexcept { state_ = next; }

  static string line_of_declared(const formats::identity& id) {
    return join({"declared ", id.declared, " ", id.declared_by});
  }

  int add(const string& text) { return write(text, nullptr); }

  int note_missing(const range_set& missing, bool into_file) {
    string now = formats::write_ranges(missing.all());
    const int failed = into_file ? write("todo " + now, &todo_) : 0;

    const std::lock_guard<std::mutex> one(mutex_);
    missing_ = std::move(now);
    return failed;
  }

  int wake() { return record_.is_open() ? 0 : os::open(path_, os::mode::update, record_); }

  // At the end, or over the line of the same kind, if it fits there: the last of a kind counts.
  int write(const string& text, line* place) {
    string padded = text;  // first: without memory nothing has changed
    if (place) {
      padded.resize((std::max)(padded.size(), place->size), ' ');
    }
    padded += '\n';

    const std::lock_guard<std::mutex> one(mutex_);
    const bool fits = place && place->at != 0 && padded.size() == place->size + 1;
    const uint64_t at = fits ? place->at : size_;
    int failed = wake();
    if (failed == 0) {
      failed = os::write_at(record_, at, padded);
    }
    if (failed != 0) return failed;  // the next line takes its place

    if (place) {
      *place = {at, padded.size() - 1};
    }
    size_ = (std::max)(size_, at + padded.size());
    return 0;
  }

  fs::path path_{};
  os::file record_{};
  mutable std::mutex mutex_{};  // of what follows, and of writing
  state state_ = state::none;
  line todo_{}, safe_{};
  uint64_t size_ = 0;
  string missing_{};
};

// The names in a directory that are `before`, `digits` hex digits, and one of `after`.
inline vector<string> numbered(const fs::path& at, const string& before, size_t digits,
    const vector<string>& after, int* problem = nullptr) {
  vector<string> names;
  const vector<string> listed = os::list(at, before, problem);

  for (const string& end : after) {
    for (const string& name : listed) {
      if (name.size() != before.size() + digits + end.size() || !strings::ends_with(name, end)) {
        continue;
      }
      const size_t odd = name.find_first_not_of(strings::hex_digits, before.size());
      if (odd >= before.size() + digits) {
        names.push_back(name);
      }
    }
  }
  return names;
}

struct unfinished {  // a file of some call, this or another, as the disk shows it
  fs::path base{};   // its name without .part and .record
  formats::record record{};
  os::fate fate = os::fate::unknown;  // of its owner
  uint64_t size = 0, bytes = 0;       // of the file; of what has come
  int problem = 0;                    // its record is there, and cannot be read

  bool has_lost_owner() const { return fate == os::fate::gone || fate == os::fate::restarted; }
};

inline unfinished find(const fs::path& base) {
  unfinished found;
  found.base = base;
  const os::info part = os::look(fs::path(base) += ".part", false);
  found.size = part.size;
  found.bytes = part.size;

  string content;
  const int failed = os::read_text(fs::path(base) += ".record", content);
  found.problem = failed == ENOENT ? part.problem : failed;
  if (failed != 0) return found;
  found.record = formats::read_record(content);

  // empty: its process was killed before it could say more than the name does
  const string name = os::shown(base.filename());
  const auto pid = strings::parse_number(name.substr(name.rfind('.') + 1, 8), 16);
  const bool is_told_by_name = content.empty() && !part.exists && pid;
  if (is_told_by_name) {
    found.record.owner = os::owner(join({*pid}));
  }
  found.fate = os::owner_fate(found.record.owner);

  const range_set todo(found.record.todo);
  if (!found.record.todo.empty()) {
    found.bytes = found.record.id.total - todo.total();
  }
  return found;
}

// What is to come of an unfinished file. Its bytes that were not synced when the machine went down
// (or may have been: whose owner cannot be told) count only with a digest, which will tell.
inline range_set gaps_of(const unfinished& found, const formats::identity& wanted) {
  const bool may_be_lost = found.fate == os::fate::restarted || found.fate == os::fate::unknown;
  const bool has_digest = !wanted.pin.empty() || !found.record.id.declared.empty();
  const bool needs_sync = may_be_lost && !has_digest;
  const formats::ranges& told = needs_sync ? found.record.safe : found.record.todo;
  return ranges::gaps_within(told, found.size, found.record.id.total);
}

inline uint64_t end_of(
    const formats::identity& id) {  // one behind the last byte, as far as is known
  return id.total != 0 ? id.total : uint64_t{ranges::endless};
}

// What ties an unfinished file to the wanted one. A declaration alone does from wherever the file
// came, if the server that is asked next declares the same: judge_head() sees to that.
enum class tie { url_or_pin, declaration };

inline bool is_tied(
    const formats::identity& its, const formats::identity& wanted, tie by = tie::url_or_pin) {
  const bool is_declared = !its.declared.empty();
  if (wanted.pin.empty()) {
    const bool can_be_trusted = is_declared || !its.validator.empty();
    return by == tie::declaration ? is_declared : its.url == wanted.url && can_be_trusted;
  }
  if (is_declared) return its.declared == wanted.pin;
  return its.pin == wanted.pin || its.url == wanted.url;
}

// Whether it is of the wanted file, nobody's, and has something of it.
inline bool is_to_continue(
    const unfinished& found, const formats::identity& wanted, tie by = tie::url_or_pin) {
  const formats::identity& its = found.record.id;
  const bool is_same = is_tied(its, wanted, by);

  const bool is_nobodys = found.record.released || found.has_lost_owner();
  return is_same && is_nobodys && gaps_of(found, wanted).total() != end_of(its);
}

struct beginnings {
  list<unfinished> all{};
  int problem = 0;  // of the listing
};

// What other calls have begun of a file, the one with most bytes first.
inline beginnings beginnings_of(const fs::path& final_path) {
  const fs::path at = final_path.parent_path();
  const string before = join({".", os::shown(final_path.filename()), "."});
  const string ending = ".record";

  beginnings found;
  for (const string& record : numbered(at, before, 16, {ending}, &found.problem)) {
    found.all.push_back(find(at / record.substr(0, record.size() - ending.size())));
  }
  std::sort(found.all.begin(), found.all.end(),
      [](const unfinished& a, const unfinished& b) { return a.bytes > b.bytes; });
  return found;
}
}  // namespace journal

// ==== >>worker ==== reads a file behind its writer, on a thread, and at some pace ====
//
// Here belongs what reads a file from its start to its end: a thread that follows the writer, and
// who looks at the caller's wishes and at the clock meanwhile. It uses >>os and >>hash. It promises
// that no byte is skipped or taken twice, that nothing but the caller's thread calls callbacks, and
// that no exception leaves a thread.
namespace worker {
enum : size_t {
  block_size = 1 << 18,
  thread_from = 1 << 20,         // smaller files are not worth a thread
  worth_waking = 4 * block_size  // bytes to read; each waking of a thread costs about a small block
};

// The least progress: 64 KiB in some seconds. Only time in which somebody looked counts: a program
// that was stopped (Ctrl-Z, a debugger) did not read, which is no fault of the server.
struct pace {
  unsigned limit = 0;  // seconds; 0: none
  uint64_t base = 0;
  unsigned least = 65536;
  using clock_type = clock;
  typename clock_type::time_point seen = clock_type::now();
  typename clock_type::duration waited{};  // since the last gain
  typename clock_type::duration excused{};

  double seconds() const { return std::chrono::duration<double>(waited).count(); }

  // held: the time, in all, in which we held the bytes back ourselves
  bool stalled(uint64_t done, typename clock_type::duration held = {}) {
    // between two looks there are milliseconds, or one block of a slow disk
    const typename clock_type::duration none{}, longest = std::chrono::seconds(1);
    const auto now = clock_type::now();
    const auto passed = now - seen - (held - excused);
    waited += (std::max)(none, (std::min)(passed, longest));
    seen = now;
    excused = held;

    if (done >= base && done - base < least) {
      return limit != 0 && seconds() > limit;
    }
    base = done;
    waited = {};
    return false;
  }
};

struct watch {  // of a reading that may be stopped and has to gain
  caller& who;
  phase what;
  const fs::path& of;
  string name;
  pace speed{who.opts().stall_seconds};

  status step(uint64_t done, uint64_t size) {
    if (!who.step(what, name, done, size)) return who.stop();
    if (!speed.stalled(done)) return {};
    return fail(errc::timed_out,
        {"reading ", of, ", or writing its copy, gained under 64 KiB in ", speed.limit, " s"});
  }
};

// Reads a file behind its writer, on a thread of its own, and gives the bytes to a function: a
// digest, a copy. If no thread can be had, finish() reads.
//
//   idle --start--> running --finish--> draining --all is taken--> finished
//                      +---- reading or taking fails ----+-------> failed
//   stop(), from every state: idle. The thread sees that between two blocks, and ends.
//
// Invariants:
//   1. While there is a thread, state_, limit_, done_ and failure_ are touched under mutex_ alone.
//      All else belongs to the thread then, and to the caller before start() and after stop().
//   2. Only the thread waits for changed_ while running, only the caller while draining.
//   3. [at, done_) was taken, each byte once and in order; no byte at or behind limit_ was read.
class digest_worker : os::pinned {
  struct block_bytes {
    char bytes[block_size];
  };

 public:
  using taker = function<status(std::string_view bytes)>;  // no bytes: that was all
  using stepper = function<status(uint64_t done)>;

  enum class state { idle, running, draining, finished, failed };

  // beside: on a thread of its own. in_finish: when finish() is called, of a file that is not worth
  // a thread.
  enum class reads { beside, in_finish };

  ~digest_worker() { (void)stop(); }

  state current() const {
    const std::lock_guard<std::mutex> one(mutex_);
    return state_;
  }

  bool is_started() const { return current() != state::idle; }

  uint64_t done() const {  // bytes from the start of the file that were taken, or need not be
    const std::lock_guard<std::mutex> one(mutex_);
    return done_;
  }

  // From `at` on. What fails here, for want of memory, may be tried again.
  status start(
      os::file from, const fs::path& path, uint64_t at, taker take, reads by = reads::beside) {
    (void)stop();
    block_ = box<block_bytes>(new (std::nothrow) block_bytes);
    if (!block_) return error::out_of_memory();

    path_ = path;
    file_ = std::move(from);
    take_ = std::move(take);
    done_ = at;
    limit_ = at;
    set(state::running);
    if (by == reads::beside) {
      (void)thread_.start(this);  // if none can be had, finish() reads
    }
    return {};
  }

  void may_read_until(uint64_t offset) noexcept {
    const std::lock_guard<std::mutex> one(mutex_);
    limit_ = (std::max)(limit_, offset);
    if (state_ == state::running && limit_ - done_ >= worth_waking) {
      changed_.notify_one();
    }
  }

  // No more will come than `size` bytes: waits until they are taken. step is called now and then,
  // and its failure ends the waiting, not the reading.
  status finish(uint64_t size, const stepper& step) {
    if (!drain(size)) return {};

    while (!is_over()) {
      VQCACHE_NEED_(step(done()));
      if (thread_.running()) {
        wait_a_moment();
      } else {
        take_on_this_thread();
      }
    }
    return stop();
  }

  // What it had failed with. A block that is being taken is taken to its end.
  status stop() noexcept {
    set(state::idle);
    thread_.join();
    (void)file_.close();
    block_ = nullptr;
    done_ = 0;
    limit_ = 0;
    return std::exchange(failure_, status());
  }

  void loop() noexcept {  // of its thread
    status s = error::contain([this] { return keep_up(); });
    end_with(std::move(s));
  }

 private:
  struct block {
    uint64_t at = 0;
    size_t size = 0;  // 0: there is none, that was all
  };

  using maybe_block = optional<block>;

  void become(state next) noexcept {  // under mutex_
    state_ = next;
    changed_.notify_one();
  }

  void set(state next) noexcept {
    const std::lock_guard<std::mutex> one(mutex_);
    become(next);
  }

  bool drain(uint64_t size) noexcept {  // false: it was not started
    const std::lock_guard<std::mutex> one(mutex_);
    if (state_ == state::idle) return false;

    limit_ = size;
    if (state_ == state::running) {
      become(state::draining);
    }
    return true;
  }

  void end_with(status failure) noexcept {
    const std::lock_guard<std::mutex> one(mutex_);
    failure_ = std::move(failure);
    if (state_ != state::idle) {
      become(failure_.ok() ? state::finished : state::failed);
    }
  }

  bool has_ended() const { return state_ == state::finished || state_ == state::failed; }

  bool is_over() const {
    const std::lock_guard<std::mutex> one(mutex_);
    return has_ended();
  }

  void wait_a_moment() {  // for the end; a callback's wishes and an interrupt are asked for between
    std::unique_lock<std::mutex> lock(mutex_);
    (void)changed_.wait_for(lock, std::chrono::milliseconds(50), [this] { return has_ended(); });
  }

  maybe_block next_block() const {  // under mutex_; none: it was stopped
    if (state_ == state::idle) return {};
    const uint64_t left = limit_ > done_ ? limit_ - done_ : 0;
    return block{done_, smaller(block_size, left)};
  }

  maybe_block wait_for_block() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] {
      return state_ != state::running || (limit_ > done_ && limit_ - done_ >= worth_waking);
    });
    return next_block();
  }

  status keep_up() {
    for (maybe_block next = wait_for_block(); next; next = wait_for_block()) {
      VQCACHE_NEED_(take(*next));
      if (next->size == 0) break;
    }
    return {};
  }

  void take_on_this_thread() {  // one block
    maybe_block next;
    {
      const std::lock_guard<std::mutex> one(mutex_);
      next = next_block();
    }
    if (!next) return;

    status s = error::contain([this, &next] { return take(*next); });
    if (next->size == 0 || !s.ok()) {
      end_with(std::move(s));
    }
  }

  status take(const block& next) {
    size_t got = 0;
    if (next.size > 0) {
      const int failed = os::read_at(file_, next.at, block_->bytes, next.size, got);
      VQCACHE_NEED_(error::system(failed, "read", path_));
    }
    if (got < next.size) {
      return fail(errc::io, {path_, " became shorter"});
    }

    VQCACHE_NEED_(take_({block_->bytes, got}));
    const std::lock_guard<std::mutex> one(mutex_);
    done_ = next.at + got;
    return {};
  }

  mutable std::mutex mutex_{};
  std::condition_variable changed_{};
  state state_ = state::idle;
  uint64_t limit_ = 0, done_ = 0;
  status failure_{};

  fs::path path_{};
  os::file file_{};
  taker take_{};
  box<block_bytes> block_{};
  os::thread thread_{};
};

inline status open(const fs::path& path, os::mode how, os::file& file, uint64_t& size) {
  const os::info seen = os::look(path, os::follows_links(how));
  size = seen.size;
  if (seen.exists && seen.problem != 0) return error::system(seen.problem, "look at", path);
  if (!seen.regular) {
    const string why = seen.exists ? string() : os::link_problem(path);
    return fail(errc::io,
        {path, seen.exists ? " is not a regular file" : " is not there", why.empty() ? "" : ": ",
            why});
  }
  return error::system(os::open(path, how, file), "open", path);
}

inline status digest(const fs::path& path, os::mode how, caller& who, string& sha256) {
  hash::sha256 sha;
  digest_worker reader;
  os::file file;
  uint64_t size = 0;
  sha.start();
  VQCACHE_NEED_(open(path, how, file, size));

  watch seen{who, phase::verifying, path, who.called(os::shown(path))};
  const auto take = [&sha](std::string_view bytes) {
    sha.update(bytes.data(), bytes.size());
    return status();
  };
  using reads = digest_worker::reads;
  VQCACHE_NEED_(reader.start(
      std::move(file), path, 0, take, size < thread_from ? reads::in_finish : reads::beside));
  VQCACHE_NEED_(
      reader.finish(size, [&seen, size](uint64_t done) { return seen.step(done, size); }));
  VQCACHE_NEED_(seen.step(size, size));

  sha256 = sha.hex();
  return sha256.empty() ? fail(errc::io, {"the system's SHA-256 failed"}) : status();
}
}  // namespace worker

// ==== >>partial ==== a file on its way to its final name, and the copies made of files ====
//
// Here belong the one class that writes files, what it asks of bytes before they get a final name,
// and the copying of whole files, one of them behind a download. It uses all rooms above. It
// promises that under a final name there is a whole and synced file or nothing.
namespace partial {  // a final name comes by publish() alone, after a good seal()

enum : size_t {
  block_size = worker::block_size,
  head_size = 16384,  // what is looked at of a file to see what it is
  zip_tail = 65557
};

enum : uint64_t {
  config_limit = 16 << 20,
  slice = 8 << 20,        // of write-back: what a cancelled call may have to wait for
  sync_every = 64 << 20,  // what a power cut may take
  least_part = 32 << 20   // of a file that comes over several connections
};

using worker::thread_from;

enum : size_t { most_parts = 32 };  // the journal's line has room for so many

struct demand {  // what bytes must be to get a final name
  sniff::kind kind = sniff::kind::binary;
  string sha256{};                   // empty: not known; then the content is looked at instead
  const char* bound_by = "the pin";  // who says so
  bool verified = false;             // and may be believed of a download, too
  bool doubted = false;              // the content is looked at in any case
  uint64_t size = 0;                 // 0: not known
  string type{};                     // Content-Type, a hint for the sentinel
  // By the server; empty: none. Its bytes are looked at all the same: a page has a digest, too.
  string declared{}, declared_by{};
};

struct looks {  // what a file is to look like where no digest tells
  sniff::kind kind = sniff::kind::binary;
  uint64_t size = 0;
  std::string_view content_type{};
};

// Looks at its head and its tail alone. not_the_file or truncated: it is no such file.
inline status judge(os::file& file, const fs::path& path, const looks& as) {
  size_t got = 0;
  string head(smaller(as.size, head_size), '\0');
  VQCACHE_NEED_(error::system(os::read_at(file, 0, head.data(), head.size(), got), "read", path));
  head.resize(got);
  const string what = sniff::not_the_file({as.kind, head, as.size, as.content_type});
  if (!what.empty()) {
    return fail(errc::not_the_file, {"it is ", what});
  }
  if (!strings::starts_with(head, "PK\x03\x04")) return {};

  string tail(smaller(as.size, zip_tail), '\0');
  const uint64_t at = as.size - tail.size();
  VQCACHE_NEED_(error::system(os::read_at(file, at, tail.data(), tail.size(), got), "read", path));
  if (sniff::zip_has_end(tail)) return {};
  return fail(errc::truncated,
      {"it is a zip archive without its end: it is truncated, or something else stands behind it"});
}

inline status judge(const fs::path& path, os::mode how, sniff::kind kind) {
  os::file file;
  uint64_t size = 0;
  VQCACHE_NEED_(worker::open(path, how, file, size));
  return judge(file, path, {kind, size, {}});
}

enum class judged_by { look, digest };  // what decides in the end whether the bytes are right

inline judged_by judge_with(const string& sha256) {
  return sha256.empty() ? judged_by::look : judged_by::digest;
}

enum class block_sums { none, kept };  // beside the digest, for the receipt

struct content {  // what is to come
  sniff::kind kind = sniff::kind::binary;
  judged_by judge = judged_by::look;
  block_sums sums = block_sums::none;
};

// When the bytes of a file are hashed: behind the writing, from the file; or as they are given to
// it, in order.
enum class hashing { behind, as_given };

// When the last bytes are written, up to a block: as soon as they are here; or in seal(), which
// another thread may call.
enum class last_bytes { at_once, in_seal };

// How it is known where the file ends. Nothing but the end of the connection: a cut looks the same.
enum class end_told_by { length, connection, content };

// A file on its way to its final name: `.NAME.XXXX.part`, with its journal `.NAME.XXXX.record`.
//
//   empty --create, adopt--> writing --seal--> sealed --publish--> empty
//                               |                 |
//                               +-- the disk fails --> broken
//   release(), from any state: what a later call can continue stays on disk, the rest goes.
//   drop(), from any state: all of it goes.
//
// Invariants:
//   1. Only publish() gives the final name, to bytes that seal() has checked and synced.
//   2. A byte outside missing_ is in the file; a byte inside is in at most one lease.
//   3. The journal never claims more than the disk has: a range leaves "todo" when it is written,
//      and "safe" when it is synced; nothing is written beyond the first gap before "todo" stands.
//   4. After a failed write nothing is written any more: the kernel may have dropped the pages.
//   5. The digest is of the bytes before the first gap. While digest_ is started, sha_, sums_,
//      nul_bytes_, hashed_ and synced_ belong to its thread.
class partial_file : os::pinned {
 public:
  // What one connection brings: a range that nobody else writes, and its bytes that wait to be
  // written together. It goes back with its destructor, or when the file is dropped.
  class lease {
   public:
    lease() = default;

    lease(lease&& other) noexcept { *this = std::move(other); }

    lease& operator=(lease&& other) noexcept {
      if (this == &other) return *this;
      give_back();
      of_ = std::exchange(other.of_, nullptr);
      position_ = other.position_;
      end_ = other.end_;
      waiting_.swap(other.waiting_);
      if (of_) {
        std::replace(of_->leases_.begin(), of_->leases_.end(), &other, this);
      }
      return *this;
    }

    ~lease() { give_back(); }

    bool is_held() const { return of_ != nullptr; }

    bool is_untouched() const { return waiting_.empty(); }  // since its bytes were written

    uint64_t next() const { return position_ + waiting_.size(); }

    uint64_t begin() const { return position_; }

    uint64_t end() const { return end_; }

    uint64_t left() const { return end_ > next() ? end_ - next() : 0; }

    void give_back() noexcept {
      if (of_) {
        of_->take_back(*this);
      }
    }

   private:
    friend class partial_file;

    partial_file* of_ = nullptr;
    uint64_t position_ = 0, end_ = 0;
    string waiting_{};  // stands at position_
  };

  ~partial_file() { release(); }

  // ---- what it is

  bool is_begun() const { return state_ != state::empty; }

  const fs::path& final_path() const { return final_; }

  const formats::identity& id() const { return id_; }

  const string& sha256() const { return sha256_; }  // once it is sealed

  const list<uint64_t>& blocks() const { return blocks_; }  // the same, where they are kept

  end_told_by end_is_told_by() const { return end_is_told_by_; }

  fs::path named(const char* suffix) const { return fs::path(base_) += suffix; }

  uint64_t size() const {  // bytes that have come
    uint64_t waiting = 0;
    for (const lease* part : leases_) {
      waiting += part->waiting_.size();
    }
    return end_ - missing_.total() + waiting;
  }

  uint64_t front() const {  // bytes from the start without a gap, in the file
    return (std::min)(missing_.first_gap(), end_);
  }

  bool is_whole() const { return is_begun() && size() == end_; }

  // ---- its beginning

  // A private file, after a record of whose it is.
  status create(const fs::path& final_path, content what, hashing when = hashing::behind,
      last_bytes last = last_bytes::at_once) {
    VQCACHE_NEED_(own(final_path, what));
    hashing_ = when;
    last_ = last;
    end_ = ranges::endless;
    missing_.add({0, ranges::endless});
    VQCACHE_NEED_(lost("create", os::open(named(".part"), os::mode::create, file_)));
    become(state::writing);
    return {};
  }

  int keep_as(const formats::identity& id) {  // from now on a later call may continue it
    id_ = id;
    if (id_.total != 0) {
      set_end((std::min)(end_, id_.total));
    }
    return describe();
  }

  // Continues what an earlier call left of the same file; is_begun() tells whether there was such.
  // Its bytes are hashed again.
  status adopt(const fs::path& final_path, const formats::identity& wanted, content what,
      journal::tie by = journal::tie::url_or_pin) {
    const journal::beginnings found = journal::beginnings_of(final_path);
    if (error::is_passing(found.problem)) {
      return error::system(found.problem, "look into", final_path.parent_path());
    }

    for (const journal::unfinished& one : found.all) {
      const bool is_its = error::is_passing(one.problem) || is_to_continue(one, wanted, by);
      if (!is_its) continue;

      status s = adopt_one(one, final_path, wanted, what);
      if (s.ok() && is_begun()) return s;

      drop();
      if (s.ok()) continue;  // another's, or another call was faster
      s.text += join({"; what an earlier call brought of ", os::shown(final_path.filename()), " (",
          one.size, " bytes) stays for the next one"});
      return s;
    }
    return {};
  }

  // ---- its bytes

  // For one of so many connections: what waits, in order and in parts (all up to the first gap is
  // hashed and copied meanwhile), then half of the largest under way, if that is over `least`. Not
  // held: there is none.
  lease take(size_t connections, uint64_t least) {
    const uint64_t share = share_of(connections);
    for (lease* part : leases_) {  // of before there were so many connections
      if (part->left() / 2 > share && may_divide()) {
        part->end_ = part->next() + share;
      }
    }

    byte_range part = first_free();
    if (ranges::size_of(part) == 0) {
      part = half_of_the_largest(least);
    }
    if (ranges::size_of(part) == 0) return {};
    if (ranges::size_of(part) / 2 > share && may_divide()) {
      part.end = part.at + share;
    }
    return hand_out(part);
  }

  void take_what_follows(lease& part) {  // if it is nobody's
    const range_set free = free_ranges();
    for (const byte_range& gap : free.all()) {
      if (gap.at == part.end_) {
        part.end_ = gap.end;
      }
    }
  }

  // To the connection that brings the part before it, if there is one.
  void pass_on(lease& part) noexcept {
    if (!part.is_held()) return;
    const byte_range rest{part.next(), part.end_};
    part.give_back();
    for (lease* before : leases_) {
      if (before->end_ == rest.at) {
        before->end_ = rest.end;
      }
    }
  }

  status write(lease& part, std::string_view bytes) {
    const bool is_too_long = part.next() + bytes.size() > config_limit;
    if (content_.kind == sniff::kind::text && content_.judge == judged_by::look && is_too_long) {
      return fail(errc::not_the_file,
          {"over 16 MiB, which no config has; are the URLs swapped? (source::sha256 overrules)"});
    }

    if (hashing_ == hashing::as_given) {
      absorb(bytes);
    }
    if (part.waiting_.empty()) {
      part.waiting_.reserve(smaller(block_size, part.left()));
    }
    part.waiting_.append(bytes);
    const bool is_at_end = part.left() == 0 && last_ == last_bytes::at_once;
    const bool is_due = part.waiting_.size() >= block_size || is_at_end;
    if (!is_due) return {};
    return write_back(part);
  }

  status append(std::string_view bytes) {  // by the only writer, in order
    VQCACHE_NEED_(hold_in_order());
    return write(in_order_, bytes);
  }

  status write_back(lease& part) {  // what waits
    if (part.waiting_.empty()) return {};

    const uint64_t from = part.position_, to = part.next();
    const bool is_behind = hashing_ == hashing::behind;
    // then there is no need to read it back
    const bool is_little =
        is_behind && !digest_.is_started() && hashed_ == from && to < thread_from;
    if (is_little) {
      absorb(part.waiting_);
    }
    VQCACHE_NEED_(put_down(part));

    if (!is_behind) {
      VQCACHE_NEED_(begin_write_back(from, to));
    }
    if (is_behind && !is_little) {  // if it fails, seal() tries again
      (void)follow_itself();
    }

    if (id_.usable()) {  // after the bytes: invariant 3
      (void)journal_.note_missing(missing_);
    }
    digest_.may_read_until(front());
    return {};
  }

  status write_back_all() {
    if (state_ == state::broken) return failure_;
    for (lease* part : leases_) {
      VQCACHE_NEED_(write_back(*part));
    }
    return {};
  }

  bool agrees(uint64_t at, std::string_view bytes) {  // with what stands there, if anything does
    const uint64_t end = at + bytes.size();
    for (const lease* part : leases_) {
      if (part->position_ <= at && end <= part->next()) {
        return part->waiting_.compare(smaller(at - part->position_, npos), bytes.size(), bytes)
            == 0;
      }
    }
    if (missing_.overlaps({at, end})) return true;

    string there(bytes.size(), '\0');
    size_t got = 0;
    return os::read_at(file_, at, there.data(), there.size(), got) != 0
        || bytes.compare(0, got, there, 0, got) == 0;
  }

  bool begins_as_page(std::string_view content_type) {  // or nothing is there yet, or readable
    string head(smaller(front(), head_size), '\0');
    size_t got = 0;
    const bool can_read =
        !head.empty() && os::read_at(file_, 0, head.data(), head.size(), got) == 0;
    head.resize(got);
    return !can_read || !sniff::not_the_file({content_.kind, head, 0, content_type}).empty();
  }

  // ---- its end

  void learn_total(uint64_t total) {  // 0: not told
    if (total == 0) return;
    if (id_.total == 0) {
      set_end(total);
    }
    end_is_told_by_ = end_told_by::length;
  }

  // What a server says of the file when some of it is here: it is held to that, and a later call
  // knows it. What was said of it before stands.
  void learn_declared(const http::declaration& said) {
    if (said.sha256.empty() || !id_.declared.empty()) return;
    id_.declared = said.sha256;
    id_.declared_by = said.by;
    if (journal_.is_described()) {  // else describe() does
      (void)journal_.note_declared(id_);
    }
  }

  void tell_end_by(end_told_by how) { end_is_told_by_ = how; }

  void end_here() { set_end(size()); }  // of a file whose length nobody told

  // ---- bytes that come otherwise than by write()

  void hash_as_given() { hashing_ = hashing::as_given; }  // as long as nothing has come

  bool clone_from(const os::file& from) { return os::clone(from, file_); }

  size_t copy_some_from(const os::file& from, uint64_t at, size_t most) {
    return os::copy_some(from, file_, at, most);
  }

  status arrived(uint64_t until) {
    VQCACHE_NEED_(hold_in_order());
    arrived(in_order_, until);
    return {};
  }

  void arrived(lease& part, uint64_t until) {
    missing_.remove({part.position_, until});
    part.position_ = until;
    if (hashing_ == hashing::behind) {  // if it fails, seal() tries again
      (void)follow_itself();
    }
    digest_.may_read_until(front());
  }

  // At any place, in a file that is to get its identity afterwards: by has_all_but().
  status put_at(uint64_t at, std::string_view bytes) {
    return lost("write", os::write_at(file_, at, bytes));
  }

  // As an earlier call's would be, which has brought so much of it.
  status has_all_but(const range_set& gaps, const formats::identity& id) {
    id_ = id;
    set_end(id.total);
    missing_ = gaps;
    missing_.reserve(most_parts + 2);
    VQCACHE_NEED_(lost("write", describe()));
    return lost("write", journal_.note_gaps(missing_));
  }

  // Hashes what has come, on another thread; from: this file, or the one that it is a clone of.
  status follow(os::file from, const fs::path& path) {
    const auto take = [this](std::string_view bytes) {
      return take_read(bytes);
    };
    using reads = worker::digest_worker::reads;
    const reads by = front() < thread_from ? reads::in_finish : reads::beside;
    VQCACHE_NEED_(digest_.start(std::move(from), path, hashed_, take, by));
    digest_.may_read_until(front());
    return {};
  }

  status wait_for_slice(uint64_t number) {  // until it is written back: no long sync at the end
    return lost("sync", os::sync_slice(file_, number * slice, slice, true));
  }

  // ---- what becomes of it

  // To another thread, which seals it: what waits to be written in a connection's lease becomes the
  // file's own. false, and nothing is done: it is too large, or came over several connections.
  bool hand_over() {
    if (end_ >= thread_from || leases_.size() != 1) return false;
    if (leases_[0] != &in_order_) {
      in_order_ = std::move(*leases_[0]);
    }
    return true;
  }

  status seal(const demand& d, caller* who = nullptr) {
    status s = verify_and_sync(d, who);
    if (s.ok()) {
      become(state::sealed);
      string().swap(in_order_.waiting_);  // a set has many files that wait for the last one
    } else if (is_of_disk(s)) {
      s = break_with(std::move(s));
    }
    return s;
  }

  status publish() {  // the final name, at one moment; the directory is synced by the caller
    if (state_ != state::sealed) {
      return fail(errc::io, {final_, " is not verified yet"});
    }
    VQCACHE_NEED_(lost("rename to", os::rename(named(".part"), final_)));
    become(state::empty);
    drop();
    return {};
  }

  void drop() noexcept {
    (void)digest_.stop();
    for (lease* part : leases_) {
      part->of_ = nullptr;
      part->waiting_.clear();
    }
    leases_.clear();

    (void)file_.close();
    if (is_begun()) {
      (void)os::unlink(part_path_);
    }
    journal_.remove();
    become(state::empty);
    forget();
  }

  // To a later call, if one can continue it: how many bytes. What the disk may have lost is not.
  // Destructors call it, so that it does without memory; gaps that cannot be told are told as they
  // were, which only asks for more bytes.
  uint64_t release() noexcept {
    const status reading = digest_.stop();
    for (lease* part : leases_) {
      if (!error::contain([&] { return put_down(*part); }).ok()) {
        part->waiting_.clear();
      }
    }

    const uint64_t bytes = can_be_kept(reading) ? size() : 0;
    if (bytes > 0 && !journal_.is_described()) {
      (void)error::attempt([this] { (void)describe(); });
    }

    const bool is_kept = bytes > 0 && journal_.is_described();
    if (is_kept) {
      (void)error::attempt([this] { (void)journal_.note_missing(missing_); });
      (void)error::attempt([this] { (void)journal_.note_released(); });
      journal_.leave();
      become(state::empty);
    }
    drop();
    return is_kept ? bytes : 0;
  }

 private:
  enum class state { empty, writing, broken, sealed };

  void become(state next) noexcept { state_ = next; }

  status break_with(status why) {  // the first failure stays
    if (state_ != state::broken) {
      failure_ = std::move(why);
    }
    become(state::broken);
    return failure_;
  }

  // Whether a failure tells that the disk may not hold what was written to it.
  static bool is_of_disk(const status& s) { return s.cause && !error::is_passing(s); }

  status lost(const char* doing, int failed) const { return error::system(failed, doing, final_); }

  void forget() noexcept {
    id_ = formats::identity();
    content_ = content();
    hashing_ = hashing::behind;
    last_ = last_bytes::at_once;
    end_is_told_by_ = end_told_by::length;
    nul_bytes_ = nul_bytes::none;
    missing_.clear();
    end_ = hashed_ = synced_ = 0;
    sha256_.clear();
    blocks_.clear();
    failure_ = status();
  }

  // Whether a later call can do something with it. reading: how the digest's has ended.
  bool can_be_kept(const status& reading) const {
    const bool is_full = failure_.code == errc::no_space;  // the rest is there
    const bool is_spoilt = (is_of_disk(failure_) && !is_full) || is_of_disk(reading);
    return is_begun() && id_.usable() && !is_spoilt;
  }

  // ---- the steps of create() and adopt()

  status own(const fs::path& final_path, content what) {  // a name nobody else has, a journal
    drop();
    final_ = final_path;
    content_ = what;
    base_ = final_.parent_path() / join({".", os::shown(final_.filename()), ".", os::unique()});
    part_path_ = named(".part");
    missing_.reserve(most_parts + 2);
    leases_.reserve(most_parts + 1);
    VQCACHE_NEED_(journal_.create(named(".record"), final_));
    sha_.start();
    sums_.start();
    return {};
  }

  int describe() { return id_.usable() ? journal_.describe(id_) : 0; }

  status adopt_one(const journal::unfinished& one, const fs::path& final_path,
      const formats::identity& wanted, content what) {
    if (error::is_passing(one.problem)) {
      return error::system(one.problem, "read", one.base);
    }
    return claim(one, final_path, wanted, what);
  }

  // Makes it ours, unless another call was faster. The new journal is complete before the file gets
  // its name, and the old one goes last: whatever fails, one of the two tells of it.
  status claim(const journal::unfinished& one, const fs::path& final_path,
      const formats::identity& wanted, content what) {
    const formats::identity& its = one.record.id;
    VQCACHE_NEED_(own(final_path, what));
    id_ = its;
    id_.pin = wanted.pin;
    end_ = journal::end_of(its);
    const range_set gaps = journal::gaps_of(one, wanted);
    for (const byte_range& gap : gaps.all()) {
      missing_.add(gap);
    }

    VQCACHE_NEED_(lost("write", describe()));
    const bool is_told_by_size = missing_.total() + one.size == end_;
    if (!is_told_by_size) {
      VQCACHE_NEED_(lost("write", journal_.note_gaps(missing_)));
    }
    (void)journal_.note_missing(missing_);
    return take_over(one);
  }

  status take_over(const journal::unfinished& one) {
    const fs::path part = fs::path(one.base) += ".part", record = fs::path(one.base) += ".record";
    const int taken = os::rename(part, part_path_);
    if (taken == ENOENT) return {};
    VQCACHE_NEED_(error::system(taken, "rename", part));

    // from here until it has begun nothing needs memory: it would be nobody's
    const int opened = os::open(part_path_, os::mode::update, file_);
    if (opened != 0) {
      const bool is_back = os::rename(part_path_, part) == 0;
      if (!is_back) {  // it stays under the new name, and so does its journal
        (void)journal_.note_released();
        journal_.leave();
      }
      return lost("open", opened);
    }
    become(state::writing);
    (void)os::unlink(record);
    return {};
  }

  // ---- leases

  void take_back(lease& part) noexcept {
    if (state_ == state::writing) {
      (void)error::contain([&] { return write_back(part); });
    }
    for (size_t i = leases_.size(); i-- > 0;) {
      if (leases_[i] == &part) {
        leases_.erase_at(i);
      }
    }
    part.of_ = nullptr;
    part.waiting_.clear();  // what could not be written is missing as before
  }

  lease hand_out(const byte_range& range) {
    // beyond the first gap a file's size tells nothing, and a journal that cannot be written would
    const bool needs_todo = range.at != front() && id_.usable() && !journal_.has_todo();
    if (needs_todo && journal_.note_gaps(missing_) != 0) return {};

    lease part;
    part.of_ = this;
    part.position_ = range.at;
    part.end_ = range.end;
    leases_.push_back(&part);
    return part;
  }

  status hold_in_order() {
    if (in_order_.is_held()) return {};
    in_order_ = take(1, ranges::endless);
    if (in_order_.is_held()) return {};
    return fail(errc::io, {final_, " is complete, or others are writing it"});
  }

  range_set free_ranges() const {  // missing, and nobody's
    range_set free = missing_;
    for (const lease* part : leases_) {
      free.remove({part->position_, part->end_});
    }
    return free;
  }

  byte_range first_free() const {  // or an empty one
    const range_set free = free_ranges();
    return free.is_empty() ? byte_range{0, 0} : free.all().front();
  }

  bool may_divide() const { return leases_.size() + free_ranges().all().size() < most_parts; }

  uint64_t share_of(size_t connections) const {  // at most, of each
    if (connections <= 1) return ranges::endless;
    const uint64_t even = (id_.total - size()) / 4 / connections;
    return (std::max)(even, uint64_t{least_part});
  }

  byte_range half_of_the_largest(uint64_t least) {  // or an empty one
    lease* largest = nullptr;
    for (lease* part : leases_) {
      if (!largest || part->left() > largest->left()) {
        largest = part;
      }
    }
    if (!largest || largest->left() / 2 <= least || !may_divide()) return {0, 0};

    const byte_range rest{largest->next() + largest->left() / 2, largest->end_};
    largest->end_ = rest.at;
    return rest;
  }

  void set_end(uint64_t end) {
    end_ = end;
    missing_.remove({end, ranges::endless});
    for (lease* part : leases_) {
      part->end_ = (std::min)(part->end_, end);
    }
  }

  // ---- bytes

  status put_down(lease& part) {  // after a failure nothing is tried again
    if (state_ == state::broken) return failure_;
    if (part.waiting_.empty()) return {};

    status written = lost("write", os::write_at(file_, part.position_, part.waiting_));
    if (!written.ok()) return break_with(std::move(written));
    missing_.remove({part.position_, part.next()});
    part.position_ = part.next();
    part.waiting_.clear();
    return {};
  }

  status begin_write_back(uint64_t from, uint64_t to) {  // where digest_ is, it does that
    const uint64_t before = from / slice * slice, full = to / slice * slice;
    if (full == before) return {};
    return lost("sync", os::sync_slice(file_, before, full - before));
  }

  void absorb(std::string_view bytes) {
    sha_.update(bytes.data(), bytes.size());
    hashed_ += bytes.size();
    if (content_.sums == block_sums::kept) {
      sums_.update(bytes);
    }
    const bool is_config = content_.kind == sniff::kind::text;
    if (is_config && bytes.find('\0') != npos) {
      nul_bytes_ = nul_bytes::seen;
    }
  }

  status follow_itself() {
    os::file from;
    if (digest_.is_started()) return {};
    VQCACHE_NEED_(lost("open", os::open(named(".part"), os::mode::read, from)));
    return follow(std::move(from), final_);
  }

  status take_read(std::string_view bytes) {  // on the digest's thread
    const uint64_t before = hashed_;
    absorb(bytes);
    const uint64_t full = hashed_ / slice * slice;
    if (full > before) {
      VQCACHE_NEED_(lost("sync", os::sync_slice(file_, full - slice, slice)));
    }

    const bool is_time = hashed_ - synced_ >= sync_every;
    return !bytes.empty() && id_.usable() && is_time ? make_safe() : status();
  }

  status make_safe() {                          // against a power cut; on the digest's thread
    const string missing = journal_.missing();  // before: what comes meanwhile may not be synced
    for (uint64_t at = synced_; at < hashed_; at += slice) {
      if (!digest_.is_started()) return {};  // it is to stop
      VQCACHE_NEED_(lost("sync", os::sync_slice(file_, at, slice, true)));
    }
    VQCACHE_NEED_(lost("sync", os::sync(file_)));
    if (synced_ == 0) {
      VQCACHE_NEED_(lost("sync", os::sync_directory(final_.parent_path())));
    }
    synced_ = hashed_;
    journal_.note_safe(missing);
    return {};
  }

  // ---- the steps of seal(), in this order

  status verify_and_sync(const demand& d, caller* who) {
    const string name = who ? who->called(os::shown(final_)) : string();
    const worker::digest_worker::stepper step = [&](uint64_t done) {
      const bool is_short = front() < slice;
      if (!who || is_short || who->step(phase::verifying, name, done, front())) {
        return status();
      }
      return who->stop();
    };

    VQCACHE_NEED_(write_back_all());
    VQCACHE_NEED_(cut_what_is_beyond_the_end());
    VQCACHE_NEED_(finish_digest(step));
    if (d.doubted || d.sha256 != sha256_) {
      VQCACHE_NEED_(inspect(d));
    }
    return sync_to_disk(step);
  }

  status cut_what_is_beyond_the_end() {  // what came in parts may have had another end once
    if (!journal_.has_todo() || os::look(named(".part")).size <= front()) return {};
    std::error_code failed;
    fs::resize_file(named(".part"), front(), failed);
    return lost("shorten", os::value(failed));
  }

  status finish_digest(const worker::digest_worker::stepper& step) {
    const bool is_unread = !digest_.is_started() && hashed_ < front();
    if (hashing_ == hashing::behind && is_unread) {
      VQCACHE_NEED_(follow_itself());
    }
    VQCACHE_NEED_(digest_.finish(front(), step));
    sha256_ = sha_.hex();
    blocks_ = sums_.all();
    return sha256_.empty() ? fail(errc::io, {"the system's SHA-256 failed"}) : status();
  }

  status inspect(const demand& d) {  // bytes that no digest vouches for
    VQCACHE_NEED_(inspect_content(d));
    const uint64_t has = front();
    if (d.size != 0 && has != d.size) {
      return fail(has < d.size ? errc::truncated : errc::not_the_file,
          {"it has ", has, " bytes instead of ", d.size});
    }

    const bool is_open_ended = end_is_told_by_ == end_told_by::connection;
    if (is_open_ended && begins_as_zip()) {
      end_is_told_by_ = end_told_by::content;
    }
    if (d.sha256.empty()) return hold_to_declared(d);
    if (d.sha256 == sha256_) return {};
    return fail(errc::hash_mismatch,
        {"its SHA-256 is ", sha256_, ", but ", d.bound_by, " says ", d.sha256});
  }

  status hold_to_declared(const demand& d) const {
    if (d.declared.empty() || d.declared == sha256_) return {};
    return fail(errc::hash_mismatch,
        {"its server declared the SHA-256 ", d.declared, " (", d.declared_by,
            "), but sent bytes with ", sha256_,
            "; one of the two is wrong there: try another source, or tell its owner"});
  }

  status inspect_content(const demand& d) {
    status s = judge(file_, final_, {d.kind, front(), d.type});
    if (s.ok() && nul_bytes_ == nul_bytes::seen) {
      s = fail(errc::not_the_file, {"it has NUL bytes, which no config has"});
    }
    if (!s.ok() && !s.cause && d.sha256.empty()) {
      s.text += "; open the address in a browser and look for the file's own";
      s.text += join({"; if these bytes are what you want, a pin says so: #sha256=", sha256_,
          " behind it, or source::sha256"});
    }
    return s;
  }

  bool begins_as_zip() {  // whose end judge() has seen, then
    char mark[4] = {};
    size_t got = 0;
    return os::read_at(file_, 0, &mark[0], sizeof mark, got) == 0
        && std::string_view(mark, got) == std::string_view("PK\x03\x04", 4);
  }

  status sync_to_disk(const worker::digest_worker::stepper& step) {
    for (uint64_t at = 0; at + slice < front(); at += slice) {
      VQCACHE_NEED_(lost("sync", os::sync_slice(file_, at, slice, true)));
      VQCACHE_NEED_(step(front()));
    }
    journal_.rest();
    VQCACHE_NEED_(lost("sync", os::sync(file_)));
    return lost("close", file_.close());
  }

  enum class nul_bytes { none, seen };  // in a config

  state state_ = state::empty;
  status failure_{};  // of state::broken
  fs::path final_{}, base_{};
  fs::path part_path_{};    // for drop(), which does without memory
  formats::identity id_{};  // which file it is to become
  content content_{};
  end_told_by end_is_told_by_ = end_told_by::length;
  hashing hashing_ = hashing::behind;
  last_bytes last_ = last_bytes::at_once;

  os::file file_{};
  journal::journal_file journal_{};
  range_set missing_{};  // what has not come, or is not written yet
  uint64_t end_ = 0;     // one behind its last byte; endless: not known
  list<lease*> leases_{};
  lease in_order_{};  // of who writes it alone

  hash::sha256 sha_{};
  hash::block_sums sums_{};
  list<uint64_t> blocks_{};
  nul_bytes nul_bytes_ = nul_bytes::none;
  uint64_t hashed_ = 0, synced_ = 0;  // bytes from the start
  string sha256_{};
  worker::digest_worker digest_{};  // its thread uses the others: the first member to go
};

// Seals files on a thread of its own, in the order in which they are given, while others still
// come.
//
//   none --give()--> waiting --it is sealed--> back --take_back(), which waits for that--> none
//
// Until it is back, a file and what is wanted of it belong to the thread.
class sealer : os::pinned {
 public:
  class order {  // of one file
    friend class sealer;
    enum class state { none, waiting, back };

    partial_file* file_ = nullptr;
    const demand* want_ = nullptr;
    state state_ = state::none;  // under the sealer's mutex, as result_ is
    status result_{};
  };

  ~sealer() {
    set_closed();
    thread_.join();
  }

  bool start() { return thread_.start(this) == 0; }  // else nothing may be given

  void give(order& one, partial_file& file, const demand& want) {
    one.file_ = &file;
    one.want_ = &want;
    const std::lock_guard<std::mutex> turn(mutex_);
    waiting_.push_back(&one);
    one.state_ = order::state::waiting;
    changed_.notify_all();
  }

  bool is_back(const order& one) const {
    const std::lock_guard<std::mutex> turn(mutex_);
    return one.state_ == order::state::back;
  }

  status take_back(order& one) {  // waits for it; what seal() said
    std::unique_lock<std::mutex> turn(mutex_);
    changed_.wait(turn, [&one] { return one.state_ != order::state::waiting; });
    if (one.state_ == order::state::back) {
      --back_;
    }
    one.state_ = order::state::none;
    return std::exchange(one.result_, status());
  }

  void wait_for_any(std::chrono::milliseconds longest) {  // to be back
    std::unique_lock<std::mutex> turn(mutex_);
    (void)changed_.wait_for(turn, longest, [this] { return back_ > 0; });
  }

  void loop() noexcept {  // of its thread
    for (order* one = next(); one; one = next()) {
      status s = error::contain([one] { return one->file_->seal(*one->want_); });
      give_back(*one, std::move(s));
    }
  }

 private:
  order* next() {  // none: no more will come
    std::unique_lock<std::mutex> turn(mutex_);
    changed_.wait(turn, [this] { return is_closed_ || !waiting_.empty(); });
    if (waiting_.empty()) return nullptr;

    order* const one = waiting_[0];
    waiting_.erase_at(0);
    return one;
  }

  void give_back(order& one, status result) {
    const std::lock_guard<std::mutex> turn(mutex_);
    one.result_ = std::move(result);
    one.state_ = order::state::back;
    ++back_;
    changed_.notify_all();
  }

  void set_closed() {
    const std::lock_guard<std::mutex> turn(mutex_);
    is_closed_ = true;
    changed_.notify_all();
  }

  mutable std::mutex mutex_{};
  std::condition_variable changed_{};
  list<order*> waiting_{};
  size_t back_ = 0;  // orders that nobody has taken back yet
  bool is_closed_ = false;
  os::thread thread_{};
};

// whether a file of so many bytes, of which some are there, can be written
inline status has_room(const fs::path& at, uint64_t total, uint64_t have) {
  const uint64_t need = total - (std::min)(have, total);
  const os::disk disk = os::disk_of(at);
  const bool may_be_so_large = total <= disk.largest;
  if (may_be_so_large && need <= disk.available) return {};

  string why;
  if (may_be_so_large) {
    why = join({"it needs ", need, " bytes more, but ", at, " has room for ", disk.available,
        error::make_room});
  } else {
    why = join({"it needs ", total, " bytes, but ", at, " takes files of at most ", disk.largest,
        error::allow_larger});
  }
  return {errc::no_space, std::move(why), std::make_error_code(std::errc::no_space_on_device), {}};
}

struct copy_result {
  status how{};
  bool is_of_source = false;  // it is the reading that failed
  bool is_by_kernel = false;  // it has copied some of the bytes
  bool is_clone = false;      // it shares its blocks with the source
};

// Who copies. The new file is hashed when the kernel has copied it, which only a digest that is
// known can judge.
enum class copied_by { kernel, reading };

// A whole file into a partial that has begun: as a clone, which the file system can make at once,
// by the kernel, or by reading and writing.
class file_copy : os::pinned {
 public:
  file_copy(const fs::path& from, os::mode how, partial_file& to)
      : from_(from),
        how_(how),
        to_(to) {}

  copy_result run(caller& who, phase what, copied_by first) {
    copy_result result;
    result.how = copy(who, what, first);
    result.is_of_source = step_ == step::reading && !result.how.ok();
    result.is_by_kernel = kernel_bytes_ > 0;
    result.is_clone = is_clone_;
    return result;
  }

 private:
  enum class step { reading, writing };

  status copy(caller& who, phase what, copied_by first) {
    VQCACHE_NEED_(worker::open(from_, how_, in_, size_));
    VQCACHE_NEED_(clone());
    step_ = step::writing;
    if (!is_clone_) {
      VQCACHE_NEED_(has_room(to_.final_path().parent_path(), size_, 0));
    }

    worker::watch seen{who, what, from_, who.called(os::shown(to_.final_path()))};
    by_ = size_ >= thread_from ? first : copied_by::reading;
    if (!is_clone_) {
      VQCACHE_NEED_(copy_bytes(seen));
    }
    to_.end_here();
    return seen.step(done_, done_);
  }

  // By the kernel, all at once: of a file that shares its blocks the source is hashed, which is in
  // memory perhaps; in_ is closed behind it.
  status clone() {
    if (size_ < thread_from || !to_.clone_from(in_)) return {};
    if (os::look(to_.named(".part"), false).size != size_) {
      return fail(errc::io, {from_, " is being written to while it is copied"});
    }
    (void)to_.follow(std::move(in_), from_);  // if it fails, seal() reads the copy
    is_clone_ = true;
    done_ = size_;
    return to_.arrived(size_);
  }

  status copy_bytes(worker::watch& seen) {
    for (uint64_t before = ranges::endless; before != done_;) {
      VQCACHE_NEED_(seen.step(done_, size_));
      before = done_;
      if (by_ == copied_by::kernel) {
        VQCACHE_NEED_(copy_by_kernel());
      }
      if (by_ == copied_by::reading) {
        VQCACHE_NEED_(copy_block());
      }
    }
    return {};
  }

  status copy_by_kernel() {  // where it cannot, and at the end, reading takes over
    const size_t most = smaller(slice / 4, size_ - (std::min)(done_, size_));
    const size_t got = to_.copy_some_from(in_, done_, most);
    if (got == 0) {
      by_ = copied_by::reading;
      return {};
    }
    done_ += got;
    kernel_bytes_ += got;
    return to_.arrived(done_);
  }

  status copy_block() {
    if (done_ == 0) {  // to read it again may cost another transfer
      to_.hash_as_given();
    }
    size_t got = 0;
    block_.resize(block_size);
    const int failed = os::read_at(in_, done_, block_.data(), block_.size(), got);
    if (failed != 0) {
      step_ = step::reading;
      return error::system(failed, "read", from_);
    }
    done_ += got;
    return to_.append(std::string_view(block_).substr(0, got));
  }

  const fs::path& from_;
  os::mode how_;
  partial_file& to_;
  os::file in_{};
  step step_ = step::reading;
  copied_by by_ = copied_by::reading;
  uint64_t size_ = 0, done_ = 0, kernel_bytes_ = 0;
  bool is_clone_ = false;
  string block_{};
};

inline copy_result copy(const fs::path& from, os::mode how, partial_file& to, caller& who,
    phase what, copied_by first = copied_by::reading) {
  return file_copy(from, how, to).run(who, what, first);
}

// The same, sealed. That the kernel copied other bytes than there were is no damage of the source.
inline copy_result copy_and_seal(const fs::path& from, os::mode how, partial_file& to, caller& who,
    phase what, const demand& want) {
  const fs::path final_path = to.final_path();
  const copied_by first = want.sha256.empty() ? copied_by::reading : copied_by::kernel;
  copy_result result = copy(from, how, to, who, what, first);
  if (result.how.ok()) {
    result.how = to.seal(want, &who);
  }
  const bool is_judged = !result.how.ok() && !result.how.cause && !result.is_of_source;
  if (!is_judged || who.stopped() || !result.is_by_kernel) {
    return result;
  }

  result.how = to.create(final_path, {want.kind, judge_with(want.sha256)});
  if (result.how.ok()) {
    result = copy(from, how, to, who, what);
  }
  if (result.how.ok()) {
    result.how = to.seal(want, &who);
  }
  return result;
}

// What damaged files still hold of one file: the blocks that have its receipt's checksums, put
// together in a new file. They only say what need not be fetched; the digest of all decides.
class salvage : os::pinned {
 public:
  salvage(const formats::entry& said, partial_file& to) : said_(said), to_(to) {
    gaps_.add({0, said.size});
  }

  bool is_whole() const { return gaps_.is_empty(); }

  bool has_any() const { return gaps_.total() < said_.size; }

  uint64_t size() const { return said_.size - gaps_.total(); }  // bytes that are here

  uint64_t missing_blocks() const { return formats::count_of_blocks(gaps_.total()); }

  // A problem is one of the new file, or the end of the call. What cannot be read is not used.
  status take_from(const fs::path& path, os::mode how, caller& who) {
    os::file from;
    uint64_t size = 0;
    if (!worker::open(path, how, from, size).ok()) return {};

    by_ = copied_by::reading;
    const bool is_first = !has_any();
    if (is_first && to_.clone_from(from)) {
      by_ = copied_by::kernel;
    }
    block_.resize(worker::block_size);
    worker::watch seen{who, phase::verifying, path, who.called(os::shown(path))};
    for (size_t number = 0; number < said_.blocks.size(); ++number) {
      const byte_range block = range_of(number);
      if (!gaps_.overlaps(block) || block.end > size) continue;
      VQCACHE_NEED_(take_block(from, block, said_.blocks[number]));
      if (!who.step(phase::verifying, seen.name, block.end, said_.size)) return who.stop();
      if (seen.speed.stalled(this->size())) return {};  // of a disk that is dying
    }
    return {};
  }

  // From now on it can be sealed, or continued by its digest.
  status give(const formats::identity& id) {
    gaps_.join_to(most_gaps);
    return to_.has_all_but(gaps_, id);
  }

 private:
  enum : size_t { most_gaps = 16 };  // each is a request

  byte_range range_of(size_t number) const {
    const uint64_t at = number * uint64_t{formats::block_size};
    return {at, (std::min)(at + formats::block_size, said_.size)};
  }

  status take_block(os::file& from, const byte_range& block, uint64_t wanted) {
    hash::xxh64 sum;
    sum.start();
    for (uint64_t at = block.at; at < block.end;) {
      size_t got = 0;
      const size_t most = smaller(worker::block_size, block.end - at);
      const int failed = os::read_at(from, at, block_.data(), most, got);
      if (failed != 0 || got == 0) return {};

      const std::string_view bytes(block_.data(), got);
      sum.update(bytes);
      if (by_ == copied_by::reading) {
        VQCACHE_NEED_(to_.put_at(at, bytes));
      }
      at += got;
    }
    if (sum.value() == wanted) {
      gaps_.remove(block);
    }
    return {};
  }

  const formats::entry& said_;
  partial_file& to_;
  range_set gaps_{};
  copied_by by_ = copied_by::reading;
  string block_{};
};

// The copy for the other tier, made while the file arrives, at its own speed, on its own thread.
// Not where the finished file can be cloned: that takes a moment, and no room.
class trailing_copy : os::pinned {
 public:
  partial_file to{};
  string sha256{};  // of what was copied, once that is known

  trailing_copy(fs::path final_path, sniff::kind kind)
      : final_(std::move(final_path)),
        kind_(kind) {}

  bool has_begun() const { return behind_.is_started(); }

  bool fits(uint64_t size, const fs::path& local, uint64_t needed_there) const {
    const fs::path at = place();
    const bool is_shared = os::may_be_one(os::disk_of(at), os::disk_of(local));
    return has_room(at, size + (is_shared ? needed_there : 0), 0).ok();
  }

  void follow(const partial_file& from) {
    const fs::path now = from.is_begun() ? from.named(".part") : fs::path();
    if (now != from_) {
      begin_anew();
    }
    if (now.empty() || from.front() < thread_from || !os::renames_open_files) {
      return;
    }

    if (from_.empty()) {
      from_ = now;
      start();
    }
    behind_.may_read_until(from.front());
  }

  status wait(uint64_t size, caller& who) {  // until it is complete and synced
    worker::watch seen{who, phase::storing, final_, who.called(os::shown(final_))};
    VQCACHE_NEED_(
        behind_.finish(size, [&seen, size](uint64_t done) { return seen.step(done, size); }));
    VQCACHE_NEED_(to.seal({kind_, sha256, "the local receipt", true}));
    return seen.step(size, size);
  }

 private:
  void begin_anew() {
    (void)behind_.stop();
    to.drop();
    from_.clear();
  }

  fs::path place() const {  // of its directory what is there already
    fs::path at = final_.parent_path();
    while (!os::look(at).exists && at != at.parent_path()) {
      at = at.parent_path();
    }
    return at;
  }

  // Once: a directory whose making was not synced looks made afterwards.
  bool is_ready() {
    if (ready_.ok()) {
      ready_ = os::ready_directory(final_.parent_path());
    }
    return ready_.ok();
  }

  // Asked of what has come so far.
  bool can_be_clone(const os::file& from) {
    const optional<uint64_t> here = os::device_of(place());
    const bool is_one_device = here && here == os::device_of(from_);
    if (!is_one_device || !is_ready()) return false;

    partial_file twin;
    const status made = twin.create(final_, {kind_, judged_by::digest}, hashing::as_given);
    const bool is_clone = made.ok() && twin.clone_from(from);
    twin.drop();
    return is_clone;
  }

  void start() {  // what fails leaves the copy to the call's end
    os::file in;
    if (os::open(from_, os::mode::read, in) != 0) return;
    if (can_be_clone(in)) return;

    const auto take = [this](std::string_view bytes) {
      return this->take(bytes);
    };
    (void)behind_.start(std::move(in), from_, 0, take);
  }

  status take(std::string_view bytes) {  // on the thread
    if (!to.is_begun()) {
      if (!is_ready()) return ready_;
      // its digest is that of the file which it copies
      VQCACHE_NEED_(to.create(final_, {kind_, judged_by::digest}, hashing::as_given));
    }

    const uint64_t before = to.front() / slice;
    VQCACHE_NEED_(to.append(bytes));
    if (bytes.empty()) {
      to.end_here();
    }
    return before == to.front() / slice ? status() : to.wait_for_slice(before);
  }

  fs::path final_, from_{};
  sniff::kind kind_;
  status ready_{};                  // of its directory
  worker::digest_worker behind_{};  // its thread uses the others: the first member to go
};
}  // namespace partial

// ==== >>transport ==== one request and its answer: over libcurl, the program curl, options::fetch
//
// A transport is a pump for a single hop: a request goes out; the status, the header lines and the
// bytes of its answer come in. Nothing is followed, tried again or judged here but the form of an
// answer. Redirects, ranges, credentials, limits and retries are decided above, because neither
// libcurl's own nor curl's own can be trusted across versions. So every curl from 7.55 on behaves
// alike. All of it runs on the calling thread. Uses os, process and http.
namespace transport {

// ---- what a transport is

struct transfer_request {
  string url;
  vector<string> headers;        // "Name: value"; all that are sent but Host and User-Agent
  uint64_t offset = 0;           // the first byte that is wanted, for one that sends no headers
  unsigned connect_seconds = 0;  // at most, to connect
  unsigned stall_seconds = 0;    // of silence; 0: no limit. See silence_limit()
};

// Who gets an answer: a head, then the bytes of its body in order, then the end.
class response_handler : os::pinned {
 public:
  virtual bool on_head(const http::response_head& head) = 0;  // false: no more is wanted
  virtual bool on_body(view bytes) = 0;                       // the same
  virtual bool on_wait() = 0;                                 // the same, where nobody else looks
  virtual void on_end(status why) noexcept = 0;  // once, and last; it may start and cancel nothing

 protected:
  ~response_handler() = default;
};

class transport : os::pinned {
 public:
  virtual ~transport() = default;

  // Whether a part of a file may be asked for: it comes with a status that tells whether it is one.
  virtual bool serves_parts() const = 0;

  // What fails, at once or later, is told to on_end(). An answer may have ended when this returns.
  virtual void start(const transfer_request& asked, response_handler& to) = 0;

  virtual void cancel(const response_handler& of) = 0;  // it is told nothing more
  virtual void run_for(int milliseconds) = 0;           // brings what has come, or comes meanwhile
};

inline constexpr const char* user_agent = "vqcache/0.2.0";

// ---- how fast bytes may come

// A bucket for all connections of a call, which time fills and what comes is taken from. What has
// come beyond it is a debt: nothing is read before time has paid that. The time is given.
class throttle {
 public:
  using time_point = clock::time_point;
  using duration = clock::duration;

  throttle(uint64_t bytes_per_second, time_point now)  // 0: no limit
      : rate_(static_cast<double>(bytes_per_second)),
        seen_(now) {}

  bool has_limit() const { return rate_ > 0; }

  // What may be read at once, so that the debt stays small: 1 KiB at least, and up to `most`.
  size_t block(size_t most) const {
    constexpr double least = 1024;
    constexpr double per_second = 16;
    const double fair = (std::max)(rate_ / per_second, least);
    return has_limit() && fair < double(most) ? static_cast<size_t>(fair) : most;
  }

  void take(uint64_t bytes, time_point now) {
    if (!has_limit()) return;
    refill(now);
    left_ -= double(bytes);
  }

  int wait(time_point now) {  // milliseconds in which nothing may be read, up to a second
    constexpr double longest = 999;
    if (!has_limit()) return 0;

    refill(now);
    if (left_ >= 0) return 0;
    return 1 + static_cast<int>((std::min)(-left_ / rate_ * 1000, longest));
  }

  // The limit is what slows the call, and no server.
  bool is_felt() const { return has_limit() && left_ < most() / 2; }

  duration held() const { return held_; }  // so long, in all, nothing was to be read

 private:
  double most() const { return rate_ / 8; }  // what comes in an eighth of a second

  void refill(time_point now) {
    using seconds = std::chrono::duration<double>;
    const duration passed = (std::max)(now - seen_, duration());
    seen_ = now;
    if (left_ < 0) {
      const seconds in_debt = (std::min)(seconds(-left_ / rate_), seconds(passed));
      held_ += std::chrono::duration_cast<duration>(in_debt);
    }
    left_ = (std::min)(left_ + rate_ * seconds(passed).count(), most());
  }

  double rate_;      // bytes per second
  double left_ = 0;  // bytes
  time_point seen_;
  duration held_{};
};

// ---- which proxy curl asks, by the variables that it obeys: its faults are not the server's

struct proxy {
  string variable{};  // that names it; empty: none is asked, or it cannot be told
  string address{};   // as people may read it
  bool speaks_tls = false;
};

using environment = string (*)(const char* variable);

// By no_proxy (curl(1)). It holds networks since 7.86 only: then nothing can be told.
inline bool is_exempt(const string& host, string list) {
  if (strings::trim(list) == "*") return true;

  std::replace(list.begin(), list.end(), ',', ' ');
  for (const string& word : strings::words(strings::lower(list))) {
    const string suffix = word.substr((std::min)(word.find_first_not_of('.'), word.size()));
    const bool is_network = strings::contains(word, "/");
    if (suffix.empty()) continue;
    if (is_network || host == suffix || strings::ends_with(host, "." + suffix)) {
      return true;
    }
  }
  return false;
}

inline string either(environment value, const char* lower, const char* upper) {
  const string first = value(lower);
  return first.empty() ? value(upper) : first;
}

inline string shown_proxy(const string& value) {
  const size_t user_end = value.rfind('@');
  const size_t begin = urls::has_scheme(value) ? value.find("://") + 3 : 0;
  const bool has_odd_user = user_end != npos && value.find_first_of("/?#", begin) < user_end;
  if (has_odd_user) return urls::malformed;  // what looks like a path may be of a password

  string shown = urls::redact(urls::has_scheme(value) ? value : "http://" + value);
  if (strings::ends_with(shown, "/")) {
    shown.pop_back();
  }
  return shown;
}

inline proxy proxy_of(view address, environment value = os::env) {
  struct row {
    const char* scheme;  // empty: any
    const char* variable;
  };

  // HTTP_PROXY is not among them: a web server sets that from a request (CVE-2016-5385)
  static constexpr row all[] = {{"http", "http_proxy"}, {"https", "https_proxy"},
      {"https", "HTTPS_PROXY"}, {"", "all_proxy"}, {"", "ALL_PROXY"}};
  const optional<urls::url> to = urls::parse_url(address);
  if (!to) return {};

  const string host = strings::lower(to->host.substr(0, to->host.find(']')));
  const string bare = host.substr(strings::starts_with(host, "[") ? 1 : 0);  // of IPv6
  if (is_exempt(bare, either(value, "no_proxy", "NO_PROXY"))) return {};

  for (const row& one : all) {
    const bool is_meant = one.scheme[0] == '\0' || to->scheme == one.scheme;
    if (!is_meant) continue;

    const string named = value(one.variable);
    if (named.empty()) continue;

    const bool speaks_tls = strings::starts_with(strings::lower(named), "https://");
    return {one.variable, shown_proxy(named), speaks_tls};
  }
  return {};
}

// ---- how a request may fail

// Results of libcurl and exit statuses of the program, which are the same numbers
// (libcurl-errors(3), curl(1)).
enum curl_code : int {
  curl_ok = 0,
  curl_unsupported_protocol = 1,
  curl_failed_init = 2,  // of the program: an option that it does not know, too
  curl_not_built_in = 4,
  curl_could_not_resolve_proxy = 5,
  curl_could_not_connect = 7,
  curl_weird_server_reply = 8,
  curl_partial_file = 18,
  curl_out_of_memory = 27,
  curl_operation_timed_out = 28,
  curl_ssl_connect_error = 35,
  curl_bad_function_argument = 43,
  curl_peer_failed_verification_before_7_62 = 51,
  curl_ssl_engine_not_found = 53,
  curl_ssl_engine_set_failed = 54,
  curl_recv_error = 56,
  curl_ssl_certificate_problem = 58,
  curl_ssl_cipher = 59,
  curl_peer_failed_verification = 60,
  curl_bad_content_encoding = 61,
  curl_use_ssl_failed = 64,
  curl_ssl_engine_init_failed = 66,
  curl_ssl_bad_authority_file = 77,
  curl_ssl_shutdown_failed = 80,
  curl_ssl_bad_revocation_list = 82,
  curl_ssl_issuer_error = 83,
  curl_ssl_pinned_key_differs = 90,
  curl_ssl_invalid_certificate_status = 91,
  curl_proxy_error = 97,
  shell_cannot_run = 127  // what a process ends with that could not become curl
};

enum class fault {
  none,
  cut,            // the connection ended before the body did
  silence,        // nothing came for too long
  no_connection,  // in the time for it
  improper_http,
  long_head,
  foreign_coding,
  no_tls_there,  // something else than TLS answers
  silent_tls,    // a server of plain HTTP waits for more, too
  no_trust,
  old_curl,   // it does not know an option that safety needs
  no_memory,  // or a line of 100 KiB, which newer ones take for that
  odd_proxy,
  no_proxy_found,
  no_proxy_there,
  no_tls_at_proxy,
  silent_tls_at_proxy,
  proxy_wants_login,
  proxy_refuses,
  connection
};

// What a code says by itself.
inline fault usual_fault(int code) {
  struct row {
    int code;
    fault kind;
  };

  static constexpr row all[] = {{curl_ok, fault::none}, {curl_partial_file, fault::cut},
      {curl_operation_timed_out, fault::no_connection}, {curl_out_of_memory, fault::no_memory},
      {curl_unsupported_protocol, fault::improper_http},
      {curl_weird_server_reply, fault::improper_http},
      {curl_bad_function_argument, fault::improper_http},
      {curl_bad_content_encoding, fault::foreign_coding}, {curl_ssl_connect_error, fault::no_trust},
      {curl_peer_failed_verification_before_7_62, fault::no_trust},
      {curl_ssl_engine_not_found, fault::no_trust}, {curl_ssl_engine_set_failed, fault::no_trust},
      {curl_ssl_certificate_problem, fault::no_trust}, {curl_ssl_cipher, fault::no_trust},
      {curl_peer_failed_verification, fault::no_trust}, {curl_use_ssl_failed, fault::no_trust},
      {curl_ssl_engine_init_failed, fault::no_trust},
      {curl_ssl_bad_authority_file, fault::no_trust}, {curl_ssl_shutdown_failed, fault::no_trust},
      {curl_ssl_bad_revocation_list, fault::no_trust}, {curl_ssl_issuer_error, fault::no_trust},
      {curl_ssl_pinned_key_differs, fault::no_trust},
      {curl_ssl_invalid_certificate_status, fault::no_trust}};
  for (const row& one : all) {
    if (one.code == code) return one.kind;
  }
  return fault::connection;
}

// One code has several causes, and `words`, curl's own about this one, tell them apart.
inline fault fault_of(int code, view words) {
  struct row {
    int code;
    const char* said;
    fault kind;
  };

  static constexpr row all[] = {{curl_operation_timed_out, "too slow", fault::silence},
      {curl_operation_timed_out, "SSL connection timeout", fault::silent_tls},
      {curl_failed_init, "is unknown", fault::old_curl},
      // its own limit (300 KiB since 8.4), and a body in chunks that are none
      {curl_recv_error, "response headers", fault::long_head},
      {curl_recv_error, "chunk", fault::improper_http},
      // of bytes that are no TLS record: OpenSSL, GnuTLS and Schannel
      {curl_ssl_connect_error, "wrong version number", fault::no_tls_there},
      {curl_ssl_connect_error, "packet length", fault::no_tls_there},
      {curl_ssl_connect_error, "record overflow", fault::no_tls_there},
      {curl_ssl_connect_error, "unexpected TLS packet", fault::no_tls_there},
      {curl_ssl_connect_error, "SEC_E_INVALID_TOKEN", fault::no_tls_there}};
  for (const row& one : all) {
    if (one.code == code && strings::contains(words, one.said)) {
      return one.kind;
    }
  }
  return usual_fault(code);
}

// Where a proxy is asked, nothing else is connected to.
inline fault fault_with(const proxy& by, int code, view words) {
  struct row {
    int code;
    const char* said;
    fault kind;
  };

  static constexpr row all[] = {{curl_not_built_in, "proxy", fault::odd_proxy},
      {curl_could_not_resolve_proxy, "syntax", fault::odd_proxy},
      {curl_could_not_resolve_proxy, "", fault::no_proxy_found},
      {curl_could_not_connect, "proxy scheme", fault::odd_proxy},
      {curl_could_not_connect, "", fault::no_proxy_there},
      {curl_recv_error, "CONNECT tunnel failed, response 407", fault::proxy_wants_login},
      {curl_recv_error, "407 from proxy", fault::proxy_wants_login},  // before 7.85
      {curl_recv_error, "CONNECT", fault::proxy_refuses},
      {curl_proxy_error, "", fault::proxy_refuses}};
  const fault usual = fault_of(code, words);
  if (by.variable.empty()) return usual;
  if (by.speaks_tls && usual == fault::no_tls_there) {
    return fault::no_tls_at_proxy;
  }
  if (by.speaks_tls && usual == fault::silent_tls) {
    return fault::silent_tls_at_proxy;
  }

  for (const row& one : all) {
    if (one.code == code && strings::contains(words, one.said)) {
      return one.kind;
    }
  }
  return usual;
}

struct fault_text {
  fault kind;
  errc code;
  const char* what;
  const char* advice;
};

inline const fault_text& text_of(fault kind) {
  static constexpr fault_text all[] = {
      {fault::cut, errc::truncated, "the connection ended before the file did", ""},
      {fault::silence, errc::timed_out, "nothing came for too long", ""},
      {fault::no_connection, errc::timed_out, "no connection in time", ""},
      {fault::improper_http, errc::http_status, "the answer is not proper HTTP", ""},
      {fault::long_head, errc::http_status, "the header of the answer is too long", ""},
      // newer ones look at Transfer-Encoding before the head's end
      {fault::foreign_coding, errc::http_status, "the server used a coding that nobody asked for",
          ""},
      {fault::no_tls_there, errc::tls, "what answers there does not speak TLS",
          "; is it an http:// address?"},
      {fault::silent_tls, errc::timed_out, "nothing has answered to TLS in time",
          "; is it an http:// address?"},
      {fault::no_trust, errc::tls, "no trustworthy TLS connection",
          "; check the clock, and SSL_CERT_FILE or CURL_CA_BUNDLE if a private authority signs"},
      {fault::old_curl, errc::no_transport, "this program curl does not know an option",
          "; it has to be 7.55 or newer: install that, or libcurl, or set options::fetch"},
      {fault::no_memory, errc::connection, "this machine is out of memory",
          ", or the header of the answer is too long; try again later"},
      {fault::odd_proxy, errc::connection, "the address of the proxy cannot be used",
          "; it has to be http://HOST:PORT"},
      {fault::no_proxy_found, errc::connection, "the host of the proxy was not found",
          "; correct its variable, or unset that"},
      {fault::no_proxy_there, errc::connection, "the proxy cannot be reached",
          "; start it, correct its variable, or unset that"},
      {fault::no_tls_at_proxy, errc::tls, "the proxy does not speak TLS",
          "; https:// in its variable asks for that: write http:// there"},
      {fault::silent_tls_at_proxy, errc::timed_out, "the proxy has not answered to TLS in time",
          "; https:// in its variable asks for that: should it be http://?"},
      {fault::proxy_wants_login, errc::connection, "the proxy wants a user and a password",
          "; write them into its variable, before the host"},
      {fault::proxy_refuses, errc::connection, "the proxy did not connect to the server",
          "; ask whoever runs it, or unset its variable"},
      {fault::connection, errc::connection, "the connection failed",
          "; check the URL, the network and the proxy variables"}};
  for (const fault_text& one : all) {
    if (one.kind == kind) return one;
  }
  return all[std::size(all) - 1];
}

inline string about(const proxy& by) {  // behind the reason of a failure; empty: there is none
  if (by.variable.empty()) return {};
  return join({"; the proxy was ", by.address, ", by the variable ", by.variable});
}

inline bool may_be_of_proxy(fault kind) {
  constexpr fault others[] = {fault::none, fault::cut, fault::silence, fault::improper_http,
      fault::long_head, fault::foreign_coding, fault::old_curl, fault::no_memory};
  return std::find(std::begin(others), std::end(others), kind) == std::end(others);
}

// words: curl's own, which stand in the text; they may be empty.
inline status failure(int code, const string& words, const proxy& by = {}) {
  const fault kind = fault_with(by, code, words);
  if (kind == fault::none) return {};

  const fault_text& told = text_of(kind);
  const string why = words.empty() ? join({"curl error ", code}) : strings::readable(words);
  const string whose = may_be_of_proxy(kind) ? about(by) : string();
  return fail(told.code, {told.what, " (", why, ")", told.advice, whose});
}

inline status not_http() {
  return fail(errc::http_status, {"the answer is not proper HTTP"});
}

// ---- the head of an answer, line by line

// Interim answers (1xx) are skipped, and all is bounded: curl before 8.4 is not (CVE-2023-38039).
//
//   status_line <--> fields --the empty line--> complete        failed: from both
//        ^             |
//        +--- 1xx -----+
class head_reader {
 public:
  enum class state { status_line, fields, complete, improper, too_long };

  static constexpr size_t limit = size_t{256} * 1024;  // bytes; more than any server needs

  state now() const { return state_; }

  bool has_failed() const { return state_ == state::improper || state_ == state::too_long; }

  bool is_complete() const { return state_ == state::complete; }

  int code() const { return code_; }

  const http::headers& headers() const { return headers_; }

  static status too_long() {  // curl has such limits, too: of a line 100 KiB
    return fail(errc::http_status, {"the header of the answer is too long"});
  }

  // What came was proper as far as it went, but its end is missing.
  status problem() const {
    switch (state_) {
      case state::complete: return {};
      case state::improper: return not_http();
      case state::too_long: return too_long();
      case state::status_line:
      case state::fields: break;
    }
    return fail(errc::truncated, {"the connection ended before the header of the answer did"});
  }

  // One line, with or without its end. A header waits for the next line, which may continue it.
  void take(view line) {
    size_ += line.size();
    if (size_ > limit) {
      enter(state::too_long);
      return;
    }

    const bool continues = strings::starts_with(line, " ") || strings::starts_with(line, "\t");
    if (continues) {
      if (http::may_continue(pending_, line)) {
        pending_ = http::unfolded(pending_, line);
      } else {
        enter(state::improper);
      }
      return;
    }

    if (!keep_pending()) {
      enter(state::improper);
      return;
    }
    line = strings::trim(line);
    if (line.empty()) {
      end_of_head();
    } else if (state_ == state::fields) {
      pending_ = line;
    } else {
      begin(line);
    }
  }

 private:
  void enter(state next) { state_ = next; }

  void begin(view status_line) {
    code_ = http::status_code(status_line);
    enter(code_ == 0 ? state::improper : state::fields);
  }

  bool keep_pending() {
    if (pending_.empty()) return true;

    http::read_line line = http::read_header(pending_);
    pending_.clear();
    if (line.how == http::reading::good) {
      headers_.push_back(std::move(line.what));
    }
    return line.how != http::reading::improper;
  }

  void end_of_head() {
    if (code_ >= 200) {
      enter(state::complete);
      return;
    }
    headers_.clear();  // of an interim answer
    code_ = 0;
    enter(state::status_line);
  }

  state state_ = state::status_line;
  int code_ = 0;
  size_t size_ = 0;
  http::headers headers_{};
  string pending_{};
};

// What a request over libcurl and one over the program have in common.
class exchange : os::pinned {
 public:
  exchange(response_handler& to, const transfer_request& asked, throttle& pace)
      : to_(&to),
        pace_(&pace),
        url_(asked.url) {}

  virtual ~exchange() = default;

  bool is_of(const response_handler& one) const { return to_ == &one; }

  bool is_over() const { return is_over_; }

  void end(status why) noexcept {
    if (std::exchange(is_over_, true)) return;
    to_->on_end(std::move(why));
  }

 protected:
  // false: no more is wanted
  bool take_head_line(view line) {
    head_.take(line);
    if (head_.has_failed()) {
      end(head_.problem());
    }
    if (is_over_ || !head_.is_complete()) return !is_over_;

    const http::response_head head = http::read_head(head_.code(), head_.headers());
    has_transfer_coding_ = head.has_transfer_coding;
    return to_->on_head(head);
  }

  // For what C code or a pipe brings: nothing thrown gets past it. false: no more is wanted.
  template <class F>
  bool guarded(const F& step) noexcept {
    bool is_wanted = true;
    status s = error::contain([&] {
      is_wanted = step();
      return status();
    });
    if (!s.ok() || !is_wanted) {
      end(std::move(s));
    }
    return !is_over_;
  }

  status failure_of(int code, const string& words) const {
    if (code == curl_ok) return {};
    const bool is_in_head = head_.now() == head_reader::state::fields;
    if (code == curl_out_of_memory && is_in_head) {
      return head_reader::too_long();
    }
    const bool may_lack_descriptor = code == curl_could_not_connect;
    if (may_lack_descriptor && !os::has_descriptors()) return error::out_of_descriptors();
    return failure(code, words, proxy_of(url_));
  }

  response_handler* to_;
  throttle* pace_;
  head_reader head_{};
  bool has_transfer_coding_ = false;

 private:
  string url_;
  bool is_over_ = false;  // nothing more is told
};

class exchanges {  // of one transport, in the order of their beginning
 public:
  void add(box<exchange> one) { all_.push_back(std::move(one)); }

  void drop(const response_handler& of) {
    for (size_t i = all_.size(); i-- > 0;) {
      if (all_[i]->is_of(of)) {
        all_.erase_at(i);
      }
    }
  }

  void drop_ended() {
    for (size_t i = all_.size(); i-- > 0;) {
      if (all_[i]->is_over()) {
        all_.erase_at(i);
      }
    }
  }

  void clear() { all_.clear(); }

  bool is_empty() const { return all_.empty(); }

  const list<box<exchange>>& all() const { return all_; }

 private:
  list<box<exchange>> all_{};
};

// ---- libcurl, loaded at run time: its functions, and the options as <curl/curl.h> calls them

struct multi_message {  // CURLMsg
  int kind;
  void* easy;
  int result;
};

struct libcurl {
  int (*global_init)(long);
  void* (*easy_init)();
  int (*easy_setopt)(void*, int, ...);
  int (*easy_pause)(void*, int);
  void (*easy_cleanup)(void*);
  const char* (*easy_strerror)(int);
  void* (*slist_append)(void*, const char*);
  void (*slist_free_all)(void*);
  void* (*multi_init)();
  int (*multi_add_handle)(void*, void*);
  int (*multi_remove_handle)(void*, void*);
  int (*multi_perform)(void*, int*);
  int (*multi_wait)(void*, void*, unsigned, int, int*);
  multi_message* (*multi_info_read)(void*, int*);
  int (*multi_cleanup)(void*);
  // to tell about it; null: it has none
  const char* (*version)();
  int (*easy_getinfo)(void*, int, ...);
};

template <class F>
inline bool bind(void* symbol, F& function) {
  function = reinterpret_cast<F>(symbol);
  return symbol != nullptr;
}

#if VQCACHE_USE_LIBCURL
#define VQCACHE_SYMBOL_(name) reinterpret_cast<void*>(&::name)
#else
#define VQCACHE_SYMBOL_(name) os::symbol(library, #name)
#endif

// Whether all of them are there; libcurl has kept its ABI since 7.16. Without a library: in what
// the process has loaded already.
inline bool bind_all([[maybe_unused]] void* library, libcurl& curl) {
  (void)bind(VQCACHE_SYMBOL_(curl_version), curl.version);
  (void)bind(VQCACHE_SYMBOL_(curl_easy_getinfo), curl.easy_getinfo);
  return bind(VQCACHE_SYMBOL_(curl_global_init), curl.global_init)
      && bind(VQCACHE_SYMBOL_(curl_easy_init), curl.easy_init)
      && bind(VQCACHE_SYMBOL_(curl_easy_setopt), curl.easy_setopt)
      && bind(VQCACHE_SYMBOL_(curl_easy_pause), curl.easy_pause)
      && bind(VQCACHE_SYMBOL_(curl_easy_cleanup), curl.easy_cleanup)
      && bind(VQCACHE_SYMBOL_(curl_easy_strerror), curl.easy_strerror)
      && bind(VQCACHE_SYMBOL_(curl_slist_append), curl.slist_append)
      && bind(VQCACHE_SYMBOL_(curl_slist_free_all), curl.slist_free_all)
      && bind(VQCACHE_SYMBOL_(curl_multi_init), curl.multi_init)
      && bind(VQCACHE_SYMBOL_(curl_multi_add_handle), curl.multi_add_handle)
      && bind(VQCACHE_SYMBOL_(curl_multi_remove_handle), curl.multi_remove_handle)
      && bind(VQCACHE_SYMBOL_(curl_multi_perform), curl.multi_perform)
      && bind(VQCACHE_SYMBOL_(curl_multi_wait), curl.multi_wait)
      && bind(VQCACHE_SYMBOL_(curl_multi_info_read), curl.multi_info_read)
      && bind(VQCACHE_SYMBOL_(curl_multi_cleanup), curl.multi_cleanup);
}

#undef VQCACHE_SYMBOL_

// The numbers of its options (curl/curl.h), which it has kept, too.
enum curl_option : int {
  opt_ssl_verify_peer = 64,
  opt_connect_timeout = 78,
  opt_ssl_verify_host = 81,
  opt_http_version = 84,
  opt_buffer_size = 98,
  opt_no_signal = 99,
  opt_protocols = 181,
  opt_suppress_connect_headers = 265,
  opt_write_data = 10001,
  opt_url = 10002,
  opt_error_buffer = 10010,
  opt_user_agent = 10018,
  opt_http_header = 10023,
  opt_header_data = 10029,
  opt_ca_info = 10065,
  opt_ca_path = 10097,
  opt_write_function = 20011,
  opt_header_function = 20079
};

// What it tells of itself, since 7.84 the authorities that it was built with, too: strings.
enum curl_info : int { info_ca_info = 0x10003d, info_ca_path = 0x10003e };

inline constexpr long protocols_http_and_https = 3;
inline constexpr long verify_that_the_host_is_named = 2;
inline constexpr long http_version_1_1 = 2;
inline constexpr size_t buffer_bytes = 256UL * 1024;  // it takes what it can
inline constexpr size_t write_pause = 0x10000001;     // CURL_WRITEFUNC_PAUSE
inline constexpr int pause_nothing = 0;               // CURLPAUSE_CONT
inline constexpr long global_all = 3;
inline constexpr size_t error_size = 256;  // CURL_ERROR_SIZE

// Null: there is none. It is loaded at the first need, to stay; where that failed, for want of a
// descriptor perhaps, it is tried again at the next need.
inline const libcurl* loaded_libcurl() {
  static libcurl found{};
  static std::atomic<bool> is_usable{false};
  static std::mutex turn;
  if (is_usable) return &found;

  const std::lock_guard<std::mutex> one_at_a_time(turn);
  if (is_usable) return &found;

  // what the process has comes first: a second copy would be bound to the symbols of the first
  bool is_complete = bind_all(nullptr, found);
  for (const char* name : os::libcurl_names) {
    if (is_complete) break;
    void* const library = os::load(name);
    is_complete = library && bind_all(library, found);
  }

  const bool works = is_complete && found.global_init(global_all) == 0;
  is_usable = works;
  return works ? &found : nullptr;
}

struct authorities {           // who may sign certificates
  const char* named_by = "";   // the variable that names the file
  string file{}, directory{};  // empty: as the transport has it
};

// By the variables that the program curl obeys, and libcurl does not.
inline authorities told_authorities() {
  authorities told{"CURL_CA_BUNDLE", os::env("CURL_CA_BUNDLE"), os::env("SSL_CERT_DIR")};
  if (told.file.empty()) {
    told.named_by = "SSL_CERT_FILE";
    told.file = os::env("SSL_CERT_FILE");
  }
  return told;
}

class libcurl_exchange final : public exchange {
 public:
  libcurl_exchange(const libcurl& curl, void* multi, response_handler& to,
      const transfer_request& asked, throttle& pace)
      : exchange(to, asked, pace),
        curl_(&curl),
        multi_(multi) {}

  ~libcurl_exchange() override {
    if (easy_) {
      (void)curl_->multi_remove_handle(multi_, easy_);
      curl_->easy_cleanup(easy_);
    }
    if (headers_) {
      curl_->slist_free_all(headers_);
    }
  }

  bool has(const void* easy) const { return easy_ == easy; }

  status start(const transfer_request& asked) {
    easy_ = curl_->easy_init();
    const bool is_set = easy_ && add_headers(asked.headers) && set_request(asked) && set_safety()
        && set_authorities() && set_callbacks();
    if (is_set) {
      set_what_may_be_unknown();
    }
    if (is_set && curl_->multi_add_handle(multi_, easy_) == 0) return {};

    return fail(errc::no_transport,
        {"this libcurl refuses an option that safety needs; ",
            "VQCACHE_TRANSPORT=curl uses the program"});
  }

  bool is_paused() const { return is_paused_; }

  void go_on() {  // which brings what has come at once
    if (std::exchange(is_paused_, false)) {
      (void)curl_->easy_pause(easy_, pause_nothing);
    }
  }

  void ended(int result) {  // libcurl is done with it, and says so
    const string words = words_[0] ? words_ : curl_->easy_strerror(result);
    status s = failure_of(result, words);
    end(s.ok() ? head_.problem() : std::move(s));
  }

 private:
  bool set(int option, long value) { return curl_->easy_setopt(easy_, option, value) == 0; }

  bool set(int option, const char* value) { return curl_->easy_setopt(easy_, option, value) == 0; }

  bool set(int option, void* value) { return curl_->easy_setopt(easy_, option, value) == 0; }

  bool add_headers(const vector<string>& lines) {
    for (const string& line : lines) {
      void* const longer = curl_->slist_append(headers_, line.c_str());
      if (!longer) return false;
      headers_ = longer;
    }
    return true;
  }

  bool set_request(const transfer_request& asked) {
    return set(opt_url, asked.url.c_str()) && set(opt_user_agent, user_agent)
        && set(opt_http_header, headers_)
        && set(opt_connect_timeout, static_cast<long>(asked.connect_seconds));
  }

  bool set_safety() {
    return set(opt_protocols, protocols_http_and_https) && set(opt_ssl_verify_peer, 1L)
        && set(opt_ssl_verify_host, verify_that_the_host_is_named)
        && set(opt_http_version, http_version_1_1) && set(opt_no_signal, 1L);
  }

  bool set_authorities() {
    const authorities told = told_authorities();
    const bool has_bundle = told.file.empty() || set(opt_ca_info, told.file.c_str());
    return has_bundle && (told.directory.empty() || set(opt_ca_path, told.directory.c_str()));
  }

  void set_what_may_be_unknown() {  // to an old one, and does no harm then
    (void)set(opt_buffer_size, static_cast<long>(pace_->block(buffer_bytes)));
    (void)set(opt_suppress_connect_headers, 1L);  // of a proxy
  }

  bool set_callbacks() {
    using callback = size_t (*)(char*, size_t, size_t, void*);
    const callback line = &on_line, body = &on_body;
    return set(opt_error_buffer, &words_[0]) && set(opt_write_data, static_cast<void*>(this))
        && set(opt_header_data, static_cast<void*>(this))
        && curl_->easy_setopt(easy_, opt_write_function, body) == 0
        && curl_->easy_setopt(easy_, opt_header_function, line) == 0;
  }

  // What these two do not take, libcurl takes for the end.
  static size_t on_line(char* data, size_t size, size_t count, void* self) noexcept {
    auto& me = *static_cast<libcurl_exchange*>(self);
    const view line(data, size * count);
    const bool is_trailer = me.head_.is_complete();  // of a chunked body
    const bool is_wanted = is_trailer || me.guarded([&] { return me.take_head_line(line); });
    return is_wanted && !me.is_over() ? line.size() : 0;
  }

  static size_t on_body(char* data, size_t size, size_t count, void* self) noexcept {
    auto& me = *static_cast<libcurl_exchange*>(self);
    const view bytes(data, size * count);
    me.is_paused_ = me.pace_->wait(clock::now()) > 0;
    if (me.is_paused_) return write_pause;  // it keeps these bytes, and reads no more

    me.pace_->take(bytes.size(), clock::now());
    const bool is_wanted = me.guarded([&] {
      if (!me.head_.is_complete()) {
        me.end(not_http());
      }
      return !me.is_over() && me.to_->on_body(bytes);
    });
    return is_wanted ? bytes.size() : 0;
  }

  const libcurl* curl_;
  void* multi_;
  void* easy_ = nullptr;
  void* headers_ = nullptr;  // a curl_slist
  char words_[error_size] = "";
  bool is_paused_ = false;
};

class libcurl_transport final : public transport {
 public:
  libcurl_transport(const libcurl& curl, void* multi, throttle& pace)
      : curl_(&curl),
        multi_(multi),
        pace_(&pace) {}

  ~libcurl_transport() override {
    under_way_.clear();
    (void)curl_->multi_cleanup(multi_);
  }

  bool serves_parts() const override { return true; }

  void start(const transfer_request& asked, response_handler& to) override {
    box<libcurl_exchange> one(new libcurl_exchange(*curl_, multi_, to, asked, *pace_));
    const status s = one->start(asked);
    if (!s.ok()) return to.on_end(s);
    under_way_.add(std::move(one));
  }

  void cancel(const response_handler& of) override { under_way_.drop(of); }

  void run_for(int milliseconds) override {
    if (under_way_.is_empty()) return os::sleep_ms(milliseconds);

    go_on();
    int running = 0;
    (void)curl_->multi_perform(multi_, &running);
    const bool has_news = tell_the_ended();

    const int held = pace_->wait(clock::now());
    const int longest = held > 0 ? (std::min)(held, milliseconds) : milliseconds;
    const int patience = has_news ? 0 : longest;
    const bool waits_for_nothing = held > 0 && are_all_paused();  // then multi_wait() returns
    if (waits_for_nothing || curl_->multi_wait(multi_, nullptr, 0U, patience, nullptr) != 0) {
      os::sleep_ms(patience);
    }
    under_way_.drop_ended();
  }

 private:
  static libcurl_exchange& mine(exchange& one) {  // there are no others in the list
    return static_cast<libcurl_exchange&>(one);
  }

  bool are_all_paused() const {
    for (const auto& one : under_way_.all()) {
      if (!mine(*one).is_paused()) return false;
    }
    return true;
  }

  // What was paused, one after the other, while there is something to share.
  void go_on() {
    const size_t count = under_way_.all().size();
    for (size_t n = 0; n < count && pace_->wait(clock::now()) == 0; ++n) {
      ++turn_;
      mine(*under_way_.all()[turn_ % count]).go_on();
    }
  }

  bool tell_the_ended() {
    bool has_news = false;
    int queued = 0;
    while (const multi_message* told = curl_->multi_info_read(multi_, &queued)) {
      has_news = true;
      for (const auto& one : under_way_.all()) {
        if (mine(*one).has(told->easy)) {
          mine(*one).ended(told->result);
        }
      }
    }
    return has_news;
  }

  const libcurl* curl_;
  void* multi_;
  throttle* pace_;
  exchanges under_way_{};
  size_t turn_ = 0;
};

// ---- the program curl

// After how many seconds of silence the program curl is to give up by itself, so that it does not
// outlive for long a caller that was killed; 0: never. What is too slow is for us to decide: the
// first answer may take connect_seconds and three times stall_seconds, and this is far beyond.
inline unsigned silence_limit(const transfer_request& asked) {
  constexpr uint64_t most = 2147483;         // curl counts it in milliseconds, in a long
  constexpr uint64_t connect_of_curl = 300;  // what curl takes for no limit
  if (asked.stall_seconds == 0) return 0;

  const uint64_t connect = asked.connect_seconds == 0 ? connect_of_curl : asked.connect_seconds;
  const uint64_t silence = connect + 6 * uint64_t{asked.stall_seconds};
  return static_cast<unsigned>((std::min)(silence, most));
}

// The last line that curl writes. It tells that curl came to its end, and where the body ends and
// trailers begin. It begins no line: the empty one before it would look like the end of a head that
// was cut.
inline constexpr view program_mark = "vqcache ";

inline vector<string> program_arguments(const transfer_request& asked) {
  const string last_line = string(program_mark) + "%{size_download}";
  vector<string> all = {"curl", "-q", "-g", "-s", "-S", "-i", "-N", "--proto", "=http,https",
      "--http1.1", "--suppress-connect-headers", "--connect-timeout",
      std::to_string(asked.connect_seconds), "-w", last_line, "-K", "-"};
  const unsigned silence = silence_limit(asked);
  if (silence == 0) return all;

  for (const string& word :
      {string("--speed-limit"), string("1"), string("--speed-time"), std::to_string(silence)}) {
    all.push_back(word);
  }
  return all;
}

// The URL and every secret go to the program's standard input, where ps does not look; what safety
// needs is in its arguments: curl before 8.7 ignores unknown words of a file.
inline string program_input(const transfer_request& asked) {
  string config = join({"url = \"", asked.url, "\"\nuser-agent = \"", user_agent, "\"\n"});
  for (const string& header : asked.headers) {
    config += "header = \"";
    for (const char c : header) {
      if (c == '"' || c == '\\') {
        config += '\\';
      }
      config += c;
    }
    config += "\"\n";
  }
  return config;
}

inline status cannot_start(int error) {  // of errno
  const string why = std::generic_category().message(error);
  const auto told = [&why](errc code, const char* advice) {
    return fail(code, {"the program curl cannot be started (", why, ")", advice});
  };
  switch (error) {
    case EMFILE: return told(errc::connection, error::no_descriptors);
    case ENFILE:
    case EAGAIN:
    case ENOMEM:
      return told(errc::connection, "; this machine has used something up: try again later");
    case EACCES:
    case EPERM:
    case ENOEXEC:
      return told(errc::no_transport,
          "; see what file that is and who may run it, install libcurl, or set options::fetch");
    case E2BIG:
      return told(errc::no_transport,
          "; its URL and headers, or the environment, are too long: install libcurl");
    default: return told(errc::no_transport, "; install curl or libcurl, or set options::fetch");
  }
}

// What it has to say: behind the warnings of a loader or a wrapper, which come before it.
inline string program_words(view errors) {
  string first;
  while (!errors.empty()) {
    const view line = strings::take(errors, '\n');
    const string words(strings::trim(strings::readable(line)));
    if (strings::starts_with(words, "curl: (") || strings::starts_with(words, "curl: option ")) {
      return words;
    }
    if (first.empty()) {
      first = words;
    }
  }
  return first;
}

class program_exchange final : public exchange {
 public:
  using exchange::exchange;

  process::child program{};

  status start(const transfer_request& asked) {
    const int error = program.start(program_arguments(asked), program_input(asked));
    return error == 0 ? status() : cannot_start(error);
  }

  void pull() {  // what it has written
    block_.resize(pace_->block(block_size));
    const long got = program.read(block_.data(), block_.size());
    if (got < 0) return;

    pace_->take(static_cast<uint64_t>(got), clock::now());
    (void)guarded([&] {
      if (got > 0) {
        return take({block_.data(), static_cast<size_t>(got)});
      }
      end(conclude());
      return false;
    });
  }

 private:
  static constexpr size_t block_size = size_t{256} * 1024;
  // What is held back of a body, since it may be the last line, and the trailers before it.
  static constexpr size_t last_line = 64;
  static constexpr uint64_t last_exit_code = 255;
  static constexpr size_t trailers = size_t{128} * 1024;

  bool take(view data) {  // false: no more is wanted
    held_ += data;
    if (!head_.is_complete() && !take_lines()) return false;
    if (!head_.is_complete()) return true;

    const size_t keep = has_transfer_coding_ ? trailers : last_line;
    return held_.size() <= keep || give(held_.size() - keep);
  }

  bool take_lines() {
    view rest = held_;
    while (!head_.is_complete() && strings::contains(rest, "\n")) {
      if (!take_head_line(strings::take(rest, '\n'))) return false;
    }
    held_.erase(0, held_.size() - rest.size());

    const bool is_too_long = !head_.is_complete() && held_.size() > head_reader::limit;
    if (is_too_long) return take_head_line(held_);  // which says so
    return true;
  }

  bool give(size_t size) {
    const bool is_wanted = size == 0 || to_->on_body(view(held_).substr(0, size));
    held_.erase(0, size);
    given_ += size;
    return is_wanted;
  }

  // The bytes of the body that have not been given, by the last line; none: there is none.
  optional<uint64_t> left_of_body() const {
    const size_t at = held_.rfind(program_mark);
    if (at == npos) return {};

    const auto size = strings::parse_number(view(held_).substr(at + program_mark.size()));
    if (!size || *size < given_ || *size - given_ > at) return {};
    return *size - given_;
  }

  static optional<int> told_code(view words) {  // "curl: (28) Operation timed out"
    const view number = "curl: (";
    if (!strings::starts_with(words, number)) return {};

    words.remove_prefix(number.size());
    const optional<uint64_t> code = strings::parse_number(strings::take(words, ')'));
    if (!code || *code > last_exit_code) return {};
    return static_cast<int>(*code);
  }

  status conclude() {
    const int ended = program.finish();
    const string words = program_words(program.errors());
    const int code = ended < 0 ? told_code(words).value_or(ended) : ended;  // or it was not reaped
    if (code == shell_cannot_run && !head_.is_complete()) {
      return fail(errc::no_transport, {"curl cannot be run: ", words});
    }

    const optional<uint64_t> left = left_of_body();
    if (head_.is_complete() && !give(smaller(left.value_or(0), held_.size()))) return {};

    VQCACHE_NEED_(failure_of((std::max)(code, 0), words));
    VQCACHE_NEED_(head_.problem());
    return left ? status() : fail(errc::truncated, {"the program curl ended before the file did"});
  }

  string block_{};  // one reading
  string held_{};   // what came and is not told yet
  uint64_t given_ = 0;
};

class program_transport final : public transport {
 public:
  explicit program_transport(throttle& pace) : pace_(&pace) {}

  bool serves_parts() const override { return true; }

  void start(const transfer_request& asked, response_handler& to) override {
    auto one = box<program_exchange>(new program_exchange(to, asked, *pace_));
    const status s = one->start(asked);
    if (!s.ok()) return to.on_end(s);
    under_way_.add(std::move(one));
  }

  void cancel(const response_handler& of) override { under_way_.drop(of); }

  void run_for(int milliseconds) override {
    if (under_way_.is_empty()) return os::sleep_ms(milliseconds);
    // what they have is left in their pipes, and they wait
    const int held = pace_->wait(clock::now());
    if (held > 0) return os::sleep_ms((std::min)(held, milliseconds));

    list<process::child*> all;
    for (const auto& one : under_way_.all()) {
      all.push_back(&mine(*one).program);
    }
    process::child::wait(all, milliseconds);

    const size_t count = under_way_.all().size();
    for (size_t n = 0; n < count && pace_->wait(clock::now()) == 0; ++n) {
      ++turn_;
      mine(*under_way_.all()[turn_ % count]).pull();
    }
    under_way_.drop_ended();
  }

 private:
  static program_exchange& mine(exchange& one) {  // there are no others in the list
    return static_cast<program_exchange&>(one);
  }

  throttle* pace_;
  exchanges under_way_{};
  size_t turn_ = 0;
};

// ---- options::fetch

// What a user's function says. It stands between our code and ours: no exception of ours passes
// through that function, which might take it for its own.
class user_response final : public response {
 public:
  user_response(response_handler& to, throttle& pace) : to_(&to), pace_(&pace) {}

  bool has_told_status() const { return code_ != 0; }

  void status(int code) override {
    inside([&] {
      if (state_ != state::head) {
        misuse_ = "status() after write()";
      }
      code_ = code;
    });
  }

  void header(std::string_view name, std::string_view value) override {
    inside([&] {
      optional<http::header> parsed = http::parse_header(join({name, ":", value}));
      if (state_ != state::head) {
        misuse_ = "header() after write()";
      } else if (parsed) {
        headers_.push_back(std::move(*parsed));
      } else {
        misuse_ = "a header has control characters or no name";
      }
    });
  }

  bool write(const void* data, std::size_t size) override {
    inside([&] {
      end_head();
      view bytes(static_cast<const char*>(data), size);
      while (state_ == state::body && !bytes.empty()) {
        const view next = bytes.substr(0, pace_->block(bytes.size()));
        if (!to_->on_body(next) || !is_wanted_after(next.size())) {
          state_ = state::unwanted;
        }
        bytes.remove_prefix(next.size());
      }
    });
    return state_ == state::body && misuse_.empty() && broken_.ok();
  }

  void fail(std::string why) override {
    inside([&] { failure_ = why.empty() ? "nothing" : std::move(why); });
  }

  // How it ended, once the function has returned.
  detail::status conclude() {
    const bool said_nothing = failure_.empty() && state_ == state::head && !has_told_status();
    if (said_nothing) {
      misuse_ += "it returned without status, write or fail";
    }

    if (!broken_.ok()) return broken_;
    if (!misuse_.empty()) {
      return error::fail(errc::callback, {"options::fetch is used wrongly: ", misuse_});
    }
    if (!failure_.empty()) {
      return error::fail(errc::connection, {"options::fetch says: ", strings::readable(failure_)});
    }
    end_head();
    return {};
  }

 private:
  enum class state { head, body, unwanted };

  bool is_wanted_after(size_t size) {  // and after what it has to wait for these bytes
    constexpr int longest = 50;        // milliseconds
    pace_->take(size, clock::now());
    for (int left = pace_->wait(clock::now()); left > 0; left = pace_->wait(clock::now())) {
      os::sleep_ms((std::min)(left, longest));
      if (!to_->on_wait()) return false;
    }
    return true;
  }

  void end_head() {
    if (state_ != state::head) return;
    const bool is_wanted = to_->on_head(http::read_head(has_told_status() ? code_ : 200, headers_));
    state_ = is_wanted ? state::body : state::unwanted;
  }

  template <class F>
  void inside(const F& step) {
    if (!broken_.ok()) return;
    broken_ = error::contain([&step] {
      step();
      return detail::status();
    });
  }

  response_handler* to_;
  throttle* pace_;
  state state_ = state::head;
  int code_ = 0;
  http::headers headers_{};
  string failure_{}, misuse_{};  // of the user's function
  detail::status broken_{};      // of our own code
};

class user_transport final : public transport {
 public:
  user_transport(caller& who, throttle& pace) : who_(&who), pace_(&pace) {}

  // Without statuses it may have sent all of the file for a part of it.
  bool serves_parts() const override { return has_told_status_; }

  void start(const transfer_request& asked, response_handler& to) override {
    const vqcache::request wanted{asked.url, asked.headers, asked.offset, 0};
    user_response said(to, *pace_);
    status called = error::guard("options::fetch", [&] { who_->opts().fetch(wanted, said); });
    who_->stop_with(std::move(called));
    has_told_status_ = has_told_status_ || said.has_told_status();
    to.on_end(said.conclude());
  }

  void cancel(const response_handler&) override {}

  void run_for(int milliseconds) override { os::sleep_ms(milliseconds); }

 private:
  caller* who_;
  throttle* pace_;
  bool has_told_status_ = false;  // in this call
};

// ---- which of them

inline string wanted_name(const options& o) {
  return o.transport.empty() ? os::env("VQCACHE_TRANSPORT") : o.transport;
}

// Where libcurl alone is wanted.
inline status no_libcurl() {
  if (!os::has_descriptors()) {
    return fail(
        errc::connection, {"libcurl cannot be loaded: too many open files", error::no_descriptors});
  }
  return fail(errc::no_transport,
      {"libcurl cannot be loaded, and options::transport or VQCACHE_TRANSPORT wants it alone; "
       "install it, or set options::fetch"});
}

// The transport of a call. It is made when the first request needs it: a call that only copies
// loads no library.
class pump final : public transport {
 public:
  explicit pump(caller& who) : who_(&who), pace_(who.opts().max_bytes_per_second, clock::now()) {}

  const throttle& pace() const { return pace_; }

  bool serves_parts() const override {
    return chosen_ ? chosen_->serves_parts() : !who_->opts().fetch;
  }

  void start(const transfer_request& asked, response_handler& to) override {
    const status s = choose();
    if (!s.ok()) return to.on_end(s);
    chosen_->start(asked, to);
  }

  void cancel(const response_handler& of) override {
    if (chosen_) {
      chosen_->cancel(of);
    }
  }

  void run_for(int milliseconds) override {
    if (!chosen_) return os::sleep_ms(milliseconds);
    chosen_->run_for(milliseconds);
  }

 private:
  status choose() {
    if (chosen_) return {};
    if (who_->opts().fetch) {
      chosen_ = box<user_transport>(new user_transport(*who_, pace_));
      return {};
    }

    const string name = wanted_name(who_->opts());
    const libcurl* const curl = name == "curl" ? nullptr : loaded_libcurl();
    void* const multi = curl ? curl->multi_init() : nullptr;
    if (multi) {
      chosen_ = box<libcurl_transport>(new libcurl_transport(*curl, multi, pace_));
      return {};
    }
    if (name == "libcurl") return no_libcurl();

    chosen_ = box<program_transport>(new program_transport(pace_));
    return {};
  }

  caller* who_;
  throttle pace_;
  box<transport> chosen_{};
};
}  // namespace transport

// ==== >>checks ==== what the caller gave, before anything is done with it ====
//
// Options, sources and the environment are looked at here and nowhere else: what passes is harmless
// to every transport and file system. Pure, but for reading the environment. Each refusal names
// what, which, why and what to write instead.
namespace checks {
// 0 seconds and 0 bytes: no limit.
inline constexpr unsigned most_connections = 16;
// Both transports count milliseconds in 31 bits (CURLOPT_CONNECTTIMEOUT(3), curl(1)).
inline constexpr unsigned most_seconds = 2147483;
inline constexpr uint64_t largest_file = (uint64_t{1} << 63) - 1;  // of any file: off_t has a sign
inline constexpr view null_pointer{"\0", 1};                       // as source::given() records it

// without a limit libcurl would take its own, 300 s
inline unsigned connect_limit(const options& o) {
  return o.connect_seconds == 0 ? most_seconds : o.connect_seconds;
}

inline uint64_t most_bytes(const source& s, const options& o) {  // of one file
  if (s.size != 0) return s.size;
  return o.max_bytes == 0 ? uint64_t{formats::endless} : o.max_bytes;
}

inline status check_transport(const string& name, const char* given_by) {
  if (name.empty() || name == "libcurl" || name == "curl") return {};
  return fail(errc::invalid_argument,
      {given_by, " is '", strings::printable(name), "'; known are libcurl and curl"});
}

// Only "~" and "~/..." mean the home directory; what a shell would make of the rest is not known.
inline string directory_problem(view path) {
  if (path.find('\0') != npos) return "has a NUL byte";
  const bool is_of_windows = strings::starts_with(path, "%") && path.rfind('%') > 1;
  if (strings::starts_with(path, "$") || is_of_windows) {
    return "names a variable, which nobody replaces here; write the path itself";
  }
  const bool is_of_another = strings::starts_with(path, "~") && path.size() > 1 && path[1] != '/';
  if (is_of_another && path[1] != '\\') {
    return "begins with ~ and a user's name; only ~ alone is known, the caller's own home";
  }
  if (path.find("://") != npos) {
    return "is a URL; it has to be a directory of this machine";
  }
  return {};
}

inline status check_directory(const fs::path& given, const char* option, const char* variable) {
  const string path = given.empty() ? os::env(variable) : error::shown(given);
  const string why = directory_problem(path);
  if (why.empty()) return {};
  return fail(errc::invalid_argument,
      {given.empty() ? variable : option, " ", why, ": '", urls::redact(strings::printable(path)),
          "'"});
}

inline status check_places(const std::vector<fs::path>& all) {  // options::also_look_in
  for (size_t i = 0; i < all.size(); ++i) {
    const string path = error::shown(all[i]);
    const string why = path.empty() ? "is empty" : directory_problem(path);
    if (why.empty()) continue;
    return fail(errc::invalid_argument,
        {"options::also_look_in[", i, "] ", why, ": '", urls::redact(strings::printable(path)),
            "'"});
  }
  return {};
}

inline status check_options(const options& o) {  // what may be wrong in any call
  const auto bad = [](std::initializer_list<error::piece> why) {
    return fail(errc::invalid_argument, why);
  };
  if (o.connections == 0 || o.connections > most_connections) {
    return bad({"options::connections is ", o.connections, "; it may be 1 to ", most_connections});
  }
  if (o.connect_seconds > most_seconds) {
    return bad({"options::connect_seconds is ", o.connect_seconds, "; it may be up to ",
        most_seconds, ", and 0 is no limit"});
  }
  if (o.stall_seconds > most_seconds) {
    return bad({"options::stall_seconds is ", o.stall_seconds, "; it may be up to ", most_seconds,
        ", and 0 is no limit"});
  }
  if (o.max_bytes_per_second > largest_file) {
    return bad({"options::max_bytes_per_second is ", o.max_bytes_per_second, "; it may be up to ",
        largest_file, ", and 0 is no limit"});
  }

  VQCACHE_NEED_(check_directory(o.local_dir, "options::local_dir", "VQCACHE_LOCAL_DIR"));
  VQCACHE_NEED_(check_directory(o.cache_dir, "options::cache_dir", "VQCACHE_CACHE_DIR"));
  VQCACHE_NEED_(check_places(o.also_look_in));
  return check_transport(o.transport, "options::transport");
}

// of a call that may download, with what the environment says where the options say nothing
inline status check_call(const options& o) {
  VQCACHE_NEED_(check_options(o));
  if (o.fetch) return {};
  return check_transport(transport::wanted_name(o), "the environment variable VQCACHE_TRANSPORT");
}

// A byte that people put around an address: a quote of a shell or of a file, white space, a line's
// end.
inline bool is_wrapping(char c) {
  return strings::contains(" \t\r\n\"'`<>", {&c, 1});
}

// What stands around an address and does not belong to it, in words; empty: nothing.
inline string wrapping_of(view url) {
  if (url.empty() || (!is_wrapping(url.front()) && !is_wrapping(url.back()))) return {};

  const char c = is_wrapping(url.front()) ? url.front() : url.back();
  const char* const end = is_wrapping(url.front()) ? "begins" : "ends";
  const char* what = "a quote or a bracket";
  if (c == ' ' || c == '\t') {
    what = "white space";
  }
  if (c == '\n' || c == '\r') {
    what = "the end of a line";
  }
  return join({end, " with ", what, "; leave that away"});
}

inline string path_problem(view url, const string& path) {
  const string kind = strings::lower(url.substr(0, 6));
  const bool is_absolute = path[0] == '/' || path.substr(1, 1) == ":";
  if (urls::has_scheme(url) && !is_absolute) {
    return "names no file of this machine";
  }
  if (path.find('\0') != npos) {
    return "names no file of this machine";
  }
  if (kind == "http:/" || kind == "https:") {
    return "would be a path of this machine; did you mean http:// or https://?";
  }
  return {};
}

// Why a path or a URL without its pin cannot be asked for; empty: it can. by_user: options::fetch
inline string url_problem(view url, bool by_user) {
  const string path = urls::local_path(url);
  if (!path.empty()) return path_problem(url, path);

  if (const string around = wrapping_of(url); !around.empty()) {
    return around;
  }
  if (const size_t odd = urls::odd_byte(url); odd != npos) {
    return join(
        {"is no URL: byte ", odd + 1, " must be percent-encoded (it is a space, a quote, ...)"});
  }

  const optional<urls::url> parsed = urls::parse_url(url);
  if (!parsed) {
    return "is no URL: it has no host, or a wrong port";
  }
  if (!by_user && !urls::is_http(*parsed)) {
    return "has no scheme http, https or file; options::fetch can serve others";
  }
  return {};
}

// One address of a source: its URL without a pin, and the pin that stands behind it.
inline string address_problem(view url, const string& pin_behind, const string& pin, bool by_user) {
  if (strings::starts_with(strings::lower(pin_behind), "sha")) {  // another name of a digest
    return join(
        {"ends in '#", strings::printable(pin_behind), "'; a pin is #sha256= and 64 hex digits"});
  }
  if (!pin_behind.empty() && !strings::is_digest(pin_behind)) {
    return join({"has #sha256= with '", strings::printable(pin_behind), "', not 64 hex digits"});
  }
  if (!pin_behind.empty() && !pin.empty() && pin_behind != pin) {
    return join({"has another pin: two different SHA-256 are given, ", pin, " and ", pin_behind});
  }
  if (strings::is_digest(url)) {
    return "is no URL; a pin goes to source::sha256";
  }
  if (url.empty() || url.find('\0') != npos) {
    return "is empty or has a NUL byte";
  }
  return url_problem(url, by_user);
}

inline string header_problem(const string& line) {
  const optional<http::header> parsed = http::parse_header(line);
  const bool is_one_line = line.find_first_of("\r\n") == npos;
  if (!is_one_line || !parsed) {
    return "not 'Name: value' without control characters";
  }
  if (http::is_reserved(*parsed)) {
    return join({parsed->name,
        ", which the transfer sets itself; a file is asked for in parts and without codings"});
  }
  return {};
}

// out: the source with bare URLs and one pin in lower case, every word harmless to a transport
inline status examine(const source& given, const string& role, const options& o, source& out) {
  const auto bad = [&role](std::initializer_list<error::piece> why) {
    return fail(errc::invalid_argument, {"the source of the ", role, ": ", join(why)});
  };
  out = source(vector<string>(), strings::lower(given.sha256), given.headers);
  out.size = given.size;
  string& pin = out.sha256;

  if (!pin.empty() && !strings::is_digest(pin)) {
    return bad({"sha256 is '", strings::printable(given.sha256), "', not 64 hex digits"});
  }
  if (given.size > largest_file) {
    return bad({"size is ", given.size, "; no file can have so many bytes"});
  }
  if (given.urls.empty()) return bad({"no URL is given"});

  for (const string& text : given.urls) {
    if (text == null_pointer) {
      return bad({"a null pointer was given as URL ", out.urls.size() + 1,
          "; is an environment variable unset?"});
    }
    const urls::pinned_address address = urls::split_pin(text);
    const string pin_behind = strings::lower(address.pin);
    const string why =
        address_problem(address.address, pin_behind, pin, static_cast<bool>(o.fetch));
    if (!why.empty()) {
      return bad({"URL ", out.urls.size() + 1, ", '",
          urls::redact(strings::printable(address.address)), "', ", why});
    }
    if (!pin_behind.empty()) {
      pin = pin_behind;
    }
    out.urls.emplace_back(address.address);
  }

  for (size_t i = 0; i < given.headers.size(); ++i) {
    const string why = header_problem(given.headers[i]);
    if (!why.empty()) return bad({"header ", i + 1, " is ", why});
  }
  return {};
}

// ---- what somebody may have meant by an address that has failed

// "host.org/file" in place of "https://host.org/file".
inline bool looks_like_host(view path) {
  const view host = path.substr(0, path.find('/'));
  const size_t dot = host.rfind('.');
  if (host.size() == path.size() || dot == npos || dot == 0) {
    return false;
  }

  constexpr view letters = "abcdefghijklmnopqrstuvwxyz";
  const string top = strings::lower(host.substr(dot + 1));
  const string all = strings::lower(host);
  return top.size() >= 2 && strings::consists_of(top, letters)
      && all.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == npos;
}

// In the path of a page about a file, what stands for the file itself.
struct page_of_host {
  const char* host;
  const char* page;
  const char* file;
};

inline string with_file(const urls::url& page, const page_of_host& known) {
  const size_t at = page.path.find(known.page);
  if (strings::lower(page.host) != known.host || at == npos) return {};

  urls::url file = page;
  file.path.replace(at, std::strlen(known.page), known.file);
  return file.whole();
}

// How the file itself is asked for, where this is the address of a page about it; empty: it is none
// that is known. The ID of a file that is shared may be a secret, and is not repeated.
inline string file_behind_page(view address) {
  static constexpr page_of_host known[] = {{"huggingface.co", "/blob/", "/resolve/"},
      {"hf.co", "/blob/", "/resolve/"}, {"github.com", "/blob/", "/raw/"},
      {"gitlab.com", "/-/blob/", "/-/raw/"}, {"bitbucket.org", "/src/", "/raw/"}};
  const optional<urls::url> page = urls::parse_url(address);
  if (!page) return {};

  for (const page_of_host& one : known) {
    const string file = with_file(*page, one);
    if (!file.empty()) {
      return urls::redact(strings::printable(file));
    }
  }
  const string host = strings::lower(page->host);
  if (host == "drive.google.com") {  // also of a large file that it cannot scan for viruses
    return "https://drive.usercontent.google.com/download?export=download&confirm=t&id=ID, with "
           "the ID that stands in this one";
  }
  const bool is_dropbox = host == "www.dropbox.com" || host == "dropbox.com";
  if (is_dropbox && page->path.find("dl=1") == npos) {
    return "the same with dl=1 in its query";
  }
  return {};
}

// What is said behind the reason why an address failed; empty: nothing is known that helps.
inline string advice_about(const string& address, errc failure) {
  const bool is_path = !urls::has_scheme(address);
  if (is_path && !strings::starts_with(address, "/")) {
    if (looks_like_host(address)) {
      return "; if it is an address, write https:// before it";
    }
    if (!directory_problem(address).empty()) {
      return join({"; it ", directory_problem(address)});
    }
    return {};
  }

  const bool is_no_file = failure == errc::not_the_file || failure == errc::http_status;
  const string file = is_no_file ? file_behind_page(address) : string();
  if (file.empty()) return {};
  return join({"; that is the address of a page about the file, which itself is at ", file});
}
}  // namespace checks

// ==== >>hub ==== hf://ORG/REPO@REVISION/PATH: where that is on the web, and on this machine ====
//
// Here belongs what is known of the Hugging Face hub: how its addresses are built, which token goes
// to it, and where its own programs keep what they have brought. Nothing here is written. It uses
// >>os and >>urls.
namespace hub {
struct address {
  string kind{};                    // empty: a model; "datasets" or "spaces"
  string repository{};              // "ORG/REPO"
  string revision{"main"}, path{};  // of the revision %2F is a slash
};

inline constexpr view scheme = "hf://";

inline bool is_address(view text) {
  const bool may_be = !text.empty() && (text[0] == 'h' || text[0] == 'H');
  return may_be && strings::starts_with(strings::lower(text.substr(0, scheme.size())), scheme);
}

// hf://[datasets/|spaces/]ORG/REPO[@REVISION]/PATH
inline optional<address> parse(view text) {
  address found;
  text.remove_prefix(scheme.size());
  for (const char* const kind : {"datasets", "spaces"}) {
    if (strings::starts_with(text, join({kind, "/"}))) {
      found.kind = kind;
      text.remove_prefix(found.kind.size() + 1);
    }
  }

  const view owner = strings::take(text, '/');
  view name = strings::take(text, '/');
  const size_t at = name.find('@');
  if (at != npos) {
    found.revision = name.substr(at + 1);
    name = name.substr(0, at);
  }
  found.repository = join({owner, "/", name});
  found.path = text;
  const bool is_whole = !owner.empty() && !name.empty() && !found.revision.empty();
  if (!is_whole || found.path.empty() || owner.find('@') != npos) return {};
  return found;
}

inline string url_of(const address& of, view endpoint) {
  while (strings::ends_with(endpoint, "/")) {
    endpoint.remove_suffix(1);
  }
  const string kind = of.kind.empty() ? string() : of.kind + "/";
  return join({endpoint, "/", kind, of.repository, "/resolve/", of.revision, "/",
      urls::percent_encoded(of.path)});
}

// "models--ORG--REPO", the folder of a repository in the hub's own cache
inline string folder_of(const address& of) {
  string name = join({of.kind.empty() ? "models" : of.kind, "/", of.repository});
  for (size_t slash = name.find('/'); slash != npos; slash = name.find('/')) {
    name.replace(slash, 1, "--");
  }
  return name;
}

// ---- this machine: variables as the hub's own programs read them

inline string endpoint() {
  const string told = os::env("HF_ENDPOINT");
  return told.empty() ? "https://huggingface.co" : told;
}

inline fs::path home() {
  const string told = os::env("HF_HOME");
  if (!told.empty()) return os::resolved(os::to_path(told));
  const fs::path caches = os::user_cache_directory();
  return caches.empty() ? caches : caches / "huggingface";
}

inline fs::path cache() {
  string told = os::env("HF_HUB_CACHE");
  if (told.empty()) {
    told = os::env("HUGGINGFACE_HUB_CACHE");  // its name until 2023
  }
  if (!told.empty()) return os::resolved(os::to_path(told));

  const fs::path at = home();
  return at.empty() ? at : at / "hub";
}

// That its command line has stored, or a variable holds. Empty: none.
inline string token() {
  if (strings::means_yes(os::env("HF_HUB_DISABLE_IMPLICIT_TOKEN"))) return {};
  const string told = os::env("HF_TOKEN");
  if (!told.empty()) return string(strings::trim(told));

  const string file = os::env("HF_TOKEN_PATH");
  const fs::path at = file.empty() ? home() / "token" : os::resolved(os::to_path(file));
  string stored;
  (void)os::read_text(at, stored, os::mode::link);
  return string(strings::trim(stored));
}

struct cached {
  fs::path file{};  // empty: it is not there
  string sha256{};  // by the name of its blob; empty: that is a digest of another kind
};

// A link to ../../blobs/DIGEST: of what git-lfs holds, which weights are, that is a SHA-256.
inline string digest_of_blob(const fs::path& link) {
  std::error_code e;
  const string name = os::shown(fs::read_symlink(link, e).filename());
  return strings::is_digest(name) ? name : string();
}

// What Python has brought of it: by the digest that it must have, or else by its revision.
inline cached find(const address& of, const string& sha256) {
  const fs::path all = cache();
  if (all.empty()) return {};

  const fs::path folder = all / folder_of(of);
  const fs::path blob = folder / "blobs" / sha256;
  if (!sha256.empty() && os::look(blob).regular) return {blob, sha256};

  string commit;
  const string revision = urls::unescaped(of.revision);
  (void)os::read_text(folder / "refs" / os::to_path(revision), commit, os::mode::link);
  const string at = commit.empty() ? revision : string(strings::trim(commit));
  const fs::path file = folder / "snapshots" / os::to_path(at) / os::to_path(of.path);
  if (!os::look(file).regular) return {};

  const string digest = digest_of_blob(file);
  const bool is_another = !sha256.empty() && digest != sha256;
  return is_another ? cached() : cached{file, digest};
}

// ---- a source with hf:// in it, as one without

struct expanded {
  source from{};
  string sha256{};  // of the file that is on this machine
};

inline bool has_address(const source& from) {
  for (const string& url : from.urls) {
    if (is_address(url)) return true;
  }
  return false;
}

inline bool has_authorization(const vector<string>& headers) {
  for (const string& line : headers) {
    if (strings::starts_with(strings::lower(line), "authorization:")) return true;
  }
  return false;
}

// Nothing of it where there is none. The token is for the first URL's host alone, as headers are.
inline result_of<expanded> expand(const source& given) {
  expanded to;
  to.from = given;
  to.from.urls.clear();
  for (const string& text : given.urls) {
    const urls::pinned_address one = urls::split_pin(text);
    if (!is_address(text)) {
      to.from.urls.push_back(text);
      continue;
    }

    const optional<address> parsed = parse(one.address);
    if (!parsed) {
      return fail(errc::invalid_argument,
          {"'", strings::printable(one.address), "' is no hf://ORG/REPO[@REVISION]/PATH"});
    }
    const string pin = strings::lower(one.pin.empty() ? view(given.sha256) : one.pin);
    const cached here = find(*parsed, pin);
    const bool is_first = to.from.urls.empty();
    if (!here.file.empty()) {
      to.from.urls.push_back(urls::file_url(here.file));
      to.sha256 = here.sha256;
    }
    const string behind = one.pin.empty() ? string() : join({"#sha256=", one.pin});
    to.from.urls.push_back(url_of(*parsed, endpoint()) + behind);
    const string secret = is_first && !has_authorization(given.headers) ? token() : string();
    if (!secret.empty()) {
      to.from.headers.push_back("Authorization: Bearer " + secret);
    }
  }
  return to;
}
}  // namespace hub

// ==== >>policy ==== what an answer's head asks of us, and what follows a try that failed ====
//
// Pure functions, which tests/unit/policy.cpp has tables for: no server, disk or thread. What may
// be looked at stands in the structs; who carries it out is >>download.
namespace policy {

// What the head of an answer asks of us: a pure function of the head, of what was asked and of what
// is here already. An answer is believed for what its marks prove together, never for its status
// code alone (RFC 9110 8.8.1, 14.4): marks that contradict each other make an odd answer.
enum class answer_kind {
  part,        // it continues the file where that was asked
  whole,       // the file from its first byte
  complete,    // 416: what is here is all there is
  redirect,    // its Location has the file
  error_page,  // words for a person
  odd          // nothing that can be used; what is on the disk stays
};

struct asked {
  bool range = false;         // for a part; else for the whole file
  uint64_t first = 0;         // the first byte of the part
  bool has_siblings = false;  // other connections bring other parts at the same time
};

struct on_disk {
  uint64_t size = 0;    // bytes that have come
  uint64_t total = 0;   // bytes that there will be; 0: not known
  string validator{};   // of this server: an ETag, or a date that is as good; empty: none
  bool pinned = false;  // a digest will decide
  string digest{};      // of the whole file: the pin's, or what a server declared; empty: not known
  const char* bound_by = "the pin";  // who says so of a pinned one
  bool is_of_another_url = false;    // and only what servers declare ties it to this one
};

struct verdict {
  answer_kind kind = answer_kind::odd;
  string why{};                  // of an odd one
  bool has_changed = false;      // another version of the file than what is here
  bool is_unmarked = false;      // odd, but nothing says of which file it is: a page perhaps
  uint64_t end = 0;              // one behind the last byte of the answer; 0: not known
  uint64_t total = 0;            // of the file; 0: not known
  bool is_another_file = false;  // odd: its server declares another digest than the pin's
};

inline bool is_redirect(int code) {
  return code == 301 || code == 302 || code == 303 || code == 307 || code == 308;
}

inline constexpr const char* not_continued = "the server does not continue the file where it ended";
inline constexpr const char* not_asked_for =
    "HTTP 206 for the file: a part of it, which nobody asked for";

inline verdict odd(const string& why, bool has_changed = false) {
  return {answer_kind::odd, why, has_changed, false, 0, 0};
}

// Of the sort that is known of what is here; empty: the answer has none.
inline const string& mark_of(const http::response_head& head, const on_disk& have) {
  return http::is_date(have.validator) ? head.last_modified : head.etag;
}

// A mark that is missing contradicts nothing; a server may call its ETag weak the second time.
inline bool has_no_other_mark(const http::response_head& head, const on_disk& have) {
  const string &its = mark_of(head, have), &known = have.validator;
  return its.empty() || known.empty() || its == known || its == "W/" + known;
}

// A digest says more than marks: the machines of a CDN have ETags of their own, or none.
inline bool is_same_version(const http::response_head& head, const on_disk& have) {
  const bool is_declared = !head.declared.sha256.empty() && !have.digest.empty();
  if (is_declared) return head.declared.sha256 == have.digest;
  return !have.is_of_another_url && has_no_other_mark(head, have);
}

// All of the file, under 200 or 206. total: by this answer; 0: not told. One mark with two lengths
// proves neither; of a server without marks the plain request will tell.
inline verdict judge_all(
    const http::response_head& head, const asked& want, const on_disk& have, uint64_t total) {
  const bool is_same = is_same_version(head, have);
  const bool has_both_marks = !mark_of(head, have).empty() && !have.validator.empty();
  const bool has_same_mark = is_same && has_both_marks && has_no_other_mark(head, have);
  const bool is_doubtful = want.range ? is_same : has_same_mark && !have.pinned;
  if (is_doubtful && have.total != 0 && total != 0 && total != have.total) {
    verdict v = odd(join({"the server gives one ETag or date to two lengths, ", have.total, " and ",
        total, " bytes; vqcache::remove takes what is here away, a pin would decide"}));
    if (!has_same_mark) {
      v = odd("an answer of another length than the file has");
    }
    v.is_unmarked = !has_same_mark;
    return v;
  }
  if (want.has_siblings) {
    return odd("the server sends all of the file for a part of it", !is_same);
  }

  // a length that is not told is the one that came with the same mark before
  const bool is_known = has_same_mark && !have.pinned && total == 0;
  return {answer_kind::whole, {}, false, false, total, is_known ? have.total : total};
}

// The part that was asked for, which continues the file.
inline verdict judge_rest(
    const http::response_head& head, const http::content_range& range, const on_disk& have) {
  const bool has_other_total = range.total && have.total != 0 && *range.total != have.total;
  if (has_other_total || !is_same_version(head, have)) {
    return odd(not_continued, true);
  }

  const uint64_t total = range.total ? *range.total : have.total;
  if (total != 0 && range.last >= total) {
    return odd(not_continued);
  }
  return {answer_kind::part, {}, false, false, range.last + 1, total};
}

inline verdict judge_part(const http::response_head& head, const asked& want, const on_disk& have) {
  const char* const elsewhere = want.range ? not_continued : not_asked_for;
  if (!head.range || head.range->unsatisfied) {
    return odd(elsewhere);
  }

  const http::content_range& range = *head.range;
  if (head.content_length && *head.content_length != range.size()) {
    return odd(elsewhere);
  }
  if (want.range && range.first == want.first) {
    return judge_rest(head, range, have);
  }
  if (range.total && range.whole()) {
    return judge_all(head, want, have, *range.total);
  }
  return odd(elsewhere);
}

// Whether the Content-Range of a 200 is that of all the file.
inline bool covers_all(const http::response_head& head) {
  if (!head.range || head.range->first != 0 || head.range->unsatisfied) {
    return false;
  }

  const bool fits = !head.content_length || *head.content_length == head.range->size();
  const bool is_told = head.range->whole() || (head.content_length && !head.range->total);
  return fits && is_told;
}

// Some hosts answer the request for a part by 200 and send that part alone; others name the range
// that all of the file is.
inline verdict judge_200(const http::response_head& head, const asked& want, const on_disk& have) {
  const bool is_plain = head.range_header == http::telling::nothing || (!head.range && !want.range);
  if (is_plain) {
    return judge_all(head, want, have, head.content_length.value_or(0));
  }
  if (covers_all(head)) {
    return judge_all(head, want, have, head.range->size());
  }
  return odd("the server says 200, but its Content-Range does not cover the file");
}

// 416, and what is here is all there is.
inline bool is_at_the_end(const http::response_head& head, const asked& want, const on_disk& have) {
  if (head.code != 416 || !want.range || !head.range || !head.range->total) {
    return false;
  }

  const bool fits = *head.range->total == have.size;
  const bool is_known = have.total == 0 || have.total == have.size;
  return fits && is_known && is_same_version(head, have);
}

// A server that declares another digest than the pin or the receipt has another file: what is here
// stays, and the body is not brought.
inline verdict another_file(const http::response_head& head, const on_disk& have) {
  verdict v = odd(join({"its server declares the SHA-256 ", head.declared.sha256, " (",
      head.declared.by, "), but ", have.bound_by, " says ", have.digest}));
  v.is_another_file = true;
  return v;
}

inline bool declares_another(const http::response_head& head, const on_disk& have) {
  const bool is_file = head.code == 200 || head.code == 206 || head.code == 416;
  const bool is_declared = !head.declared.sha256.empty() && !have.digest.empty();
  return is_file && have.pinned && is_declared && head.declared.sha256 != have.digest;
}

// head.declared: by this answer, or by a redirect that led to it.
inline verdict judge_head(const http::response_head& head, const asked& want, const on_disk& have) {
  if (declares_another(head, have)) {
    return another_file(head, have);
  }
  if (is_at_the_end(head, want, have)) {
    return {answer_kind::complete, {}, false, false, have.size, have.size};
  }
  if (head.code >= 400) return {answer_kind::error_page, {}, false, false, 0, 0};
  if (is_redirect(head.code)) return {answer_kind::redirect, {}, false, false, 0, 0};
  if (head.code == 206) return judge_part(head, want, have);
  if (head.code == 200) return judge_200(head, want, have);
  return odd(join({"HTTP ", head.code, " for the file"}));
}

// What follows a try that failed: a pure function. What a URL's tries have in common is in `tries`.
enum class next_step {
  try_again,    // the rest, after a pause
  whole_file,   // without a range, beside what is here: ranges do not work, or the file changed
  take_turns,   // when the other file of the same host is no longer under way
  next_source,  // this URL is given up
  stop          // no URL can help
};
enum class ranges { unknown, honoured };  // by the server of this URL

struct attempt {
  errc failure = errc::io;
  int code = 0;                  // of the last answer; 0: none came
  bool is_ours = false;          // this machine failed, or the user's part of the work
  bool is_local = false;         // a path, not a URL
  bool is_wrong = false;         // all came, and it is not the file
  bool is_mixed = false;         // of several answers, so that one alone may be right
  bool is_odd = false;           // see answer_kind::odd
  bool is_unmarked = false;      // see verdict
  bool has_changed = false;      // since what is here came
  bool is_another_file = false;  // see verdict
  bool wanted_rest = false;      // a part was asked for
  bool gained = false;           // more is here than before
  bool denied = false;           // 401 or 403 of the first host, and there is another source
  bool host_is_taken = false;    // the other file comes from there at this moment
  bool had_turn = false;         // it has ended since
  unsigned wait = 0;             // seconds that the server asks for
  int tries = 1;                 // of this URL
  int fruitless = 0;             // of them the last that gained nothing
  ranges parts = ranges::unknown;
};

enum : unsigned { longest_wait = 120 };  // seconds of Retry-After that are obeyed

enum : int { most_tries = 1000, fruitless_tries = 3 };  // of a URL; of them in a row without gain

inline bool is_busy(int code) {
  return code == 202 || code == 408 || code == 429 || code >= 500;
}

inline bool is_gone(int code) {
  return code == 404 || code == 410;
}

inline constexpr int wants_proxy_login = 407;

// What a proxy says in the server's place (RFC 9110 15.5.4, 15.6).
inline bool may_be_of_proxy(int code) {
  return code == 403 || code == wants_proxy_login || (code >= 502 && code <= 504);
}

// What became of the user info and of the headers of a source that look like credentials.
enum class credentials { none, sent, kept_back };

// What to do about an error of the server; empty: nobody knows.
inline const char* hint_about(int code, credentials theirs) {
  if (is_gone(code)) {
    return "; the file is not there any more, or the URL is mistyped";
  }
  if (code != 401 && code != 403) return "";

  switch (theirs) {
    case credentials::none: return "; it needs credentials (source::headers), or has expired";
    case credentials::sent:
      return "; the credentials that were sent do not suffice there, or the URL has expired";
    case credentials::kept_back: break;
  }
  return "; credentials go to the host of the source's first URL alone, and not on to this one: "
         "give the address there as a source, with credentials of its own";
}

inline bool is_of_network(errc e) {
  return e == errc::connection || e == errc::truncated || e == errc::timed_out;
}

inline bool passes(const attempt& a) {  // a cut, or a server that has no time now
  const bool answered_busy = is_busy(a.code) && a.failure == errc::http_status;
  return answered_busy || (!a.is_odd && is_of_network(a.failure));
}

// Nothing shows that this server serves parts of the file at all.
inline bool is_unproven(const attempt& a) {
  return a.wanted_rest && !a.gained && a.parts != ranges::honoured;
}

// The answer to the request for a part says by itself that parts do not work there.
inline bool contradicts_parts(const attempt& a) {
  const bool is_file = a.code == 200 || a.code == 206;
  return a.code == 416 || (a.is_odd && !a.is_unmarked && is_file);
}

// A request for the rest that failed for good. Where no part was ever served the way out is to ask
// for the whole file: a server or proxy may answer that alone, whatever it says to a part.
inline next_step after_a_part(const attempt& a) {
  if (a.has_changed) return next_step::whole_file;
  if (a.gained) return next_step::next_source;
  if (contradicts_parts(a) && is_unproven(a)) {
    return next_step::whole_file;
  }

  const bool may_pass = a.code != 0 && !is_busy(a.code) && !is_gone(a.code) && !a.denied;
  if (may_pass && a.fruitless < 2) return next_step::try_again;
  if (contradicts_parts(a)) return next_step::whole_file;

  const bool was_refused = a.code != 0 || a.failure == errc::timed_out;
  return was_refused && is_unproven(a) ? next_step::whole_file : next_step::next_source;
}

// A host may give one connection to a client: no refusal is final while another file has it.
inline bool is_refusal(const attempt& a) {
  if (a.code == 0) return is_of_network(a.failure);
  return is_busy(a.code) || a.code == 401 || a.code == 403;
}

// All came, and it is not the file; where it came from several answers, one alone may be right.
inline next_step after_wrong_bytes(const attempt& a) {
  const bool may_be_mixed_up = a.is_mixed && a.fruitless < fruitless_tries;
  return may_be_mixed_up ? next_step::try_again : next_step::next_source;
}

inline bool is_worth_a_repeat(const attempt& a) {
  if (passes(a) && a.fruitless < fruitless_tries) return true;
  return is_refusal(a) && a.had_turn && a.fruitless < 2;
}

inline next_step decide(const attempt& a) {
  if (a.is_ours) return next_step::stop;
  if (a.is_local || a.is_another_file || a.tries >= most_tries) {
    return next_step::next_source;
  }
  if (a.is_wrong) return after_wrong_bytes(a);
  if (is_refusal(a) && !a.gained && a.host_is_taken) {
    return next_step::take_turns;
  }
  if (a.wait > longest_wait) {
    return is_unproven(a) ? next_step::whole_file : next_step::next_source;
  }
  if (is_worth_a_repeat(a)) return next_step::try_again;
  return a.wanted_rest ? after_a_part(a) : next_step::next_source;
}
}  // namespace policy

// ==== >>connection ==== one request and its answer, through its redirects (state machine 2) ====
//
// A connection asks for a file or for the rest of one, follows redirects, has the head of the
// answer judged, and gives what comes to the file: bytes that are here already are compared, new
// ones are written. How it ended is told by ending() and conclude(); what follows from that, the
// download decides, which owns the file and the connection. Uses transport, policy and partial.
namespace connection {
using partial::partial_file;

// ---- where a request goes: from the URL of a source through every redirect

struct route {
  urls::url at{};
  bool is_home = true;  // the source's headers are for the host of its first URL, until it is left
  bool has_user = false, has_secret_headers = false;  // given with the source
  http::cookies jar{};                                // of this chain of redirects
  http::declaration declared{};                       // by any of its servers
  int hops = 0;

  string host() const { return strings::lower(at.host); }

  policy::credentials credentials() const {
    using kind = policy::credentials;
    if (!at.user.empty() || (is_home && has_secret_headers)) {
      return kind::sent;
    }
    return has_user || has_secret_headers ? kind::kept_back : kind::none;
  }
};

inline constexpr int most_hops = 20;

// One hop further, or why not. home: the origin of the source's first URL.
inline status follow(route& from, const string& location, const string& home) {
  const bool is_absolute = urls::has_scheme(location);
  const string target = strings::readable(
      is_absolute ? urls::redact(location) : location.substr(0, location.find_first_of(":?")));
  if (from.hops == most_hops) {
    return fail(errc::http_status, {"it redirects more than ", most_hops, " times"});
  }

  const optional<urls::url> next = urls::resolve(from.at, location);
  if (!next || !urls::is_http(*next)) {
    return fail(errc::http_status, {"it redirects to '", target, "' (neither http nor https)"});
  }
  if (from.at.scheme == "https" && next->scheme == "http") {
    return fail(errc::http_status,
        {"it redirects from https down to '", target, "', which anybody on the way could change"});
  }

  ++from.hops;
  from.at = *next;
  from.is_home = from.is_home && next->origin() == home;
  return {};
}

// ---- the life of an answer

// enter() alone changes it.
//
//   asked --206--> receiving --all that is wanted has come--> closed --the transport's end--> over
//     +----200--> restart --the first byte--> receiving           ^                             ^
//     +-->=400--> error_page --enough words-----------------------+                             |
//     +-- 3xx, 416, refused -------------------------------------->                             |
//     +-- cut, stalled, or at its end, from every state ----------------------------------------+
enum class answer_state {
  asked,       // no head yet
  restart,     // the file comes from its start; what is on the disk is untouched so far
  receiving,   // bytes of the file, compared with what is here or new
  error_page,  // words for a person
  closed,      // no more is wanted; ending() says why
  over         // and the transport has nothing more to say
};

enum class ending {
  none,           // it is under way
  part_complete,  // all that was wanted of it has come
  nothing_left,   // 416: there is no more to come
  redirected,
  at_its_end,  // the answer has ended, by its length or otherwise
  empty,       // at its end before a single byte of a file
  failed,
  abandoned  // another connection brings its part
};

// How an answer ended, as far as the policy may look at it.
struct outcome {
  int code = 0;  // 0: no answer came
  int hops = 0;
  string host{};                // of the last hop
  bool was_part = false;        // a part was asked for
  bool was_host_taken = false;  // by another file of the call, at some moment
  uint64_t gained = 0;          // bytes that are new, over all its hops
  unsigned wait_seconds = 0;    // that the server asks for before the next try
  policy::verdict head{policy::answer_kind::part, {}, false, false, 0, 0};  // nothing is odd yet
};

class connection final : public transport::response_handler {
 public:
  // Whose file it brings. What these are called for happens while a transport runs.
  class owner {
   public:
    virtual partial_file& file() = 0;
    virtual policy::on_disk on_disk() const = 0;
    virtual bool has_siblings() const = 0;    // other connections, at this moment
    virtual uint64_t most_bytes() const = 0;  // that the file may have

    // Whether the body may come: a part that fits, or all of the file.
    virtual status accept(connection& of, const http::response_head& head) = 0;
    virtual status begin_anew(connection& of) = 0;  // all of the file begins to come
    virtual void has_written(const connection& of) = 0;
    virtual void has_filled(connection& of) = 0;       // its part, and the answer goes on
    virtual bool may_go_on(const connection& of) = 0;  // false: the call is to end

   protected:
    ~owner() = default;
  };

  connection(owner& of, route from, partial_file::lease part, bool asks_part, uint64_t first)
      : owner_(&of),
        route_(std::move(from)),
        part_(std::move(part)),
        asks_part_(asks_part),
        first_(first) {
    told_.was_part = asks_part;
  }

  // ---- what is asked

  // number: of the answer, among all of its download.
  void ask(transport::pump& by, const string& url, const options& o,
      const vector<string>& own_headers, unsigned number) {
    begin_answer(number);
    const string known = owner_->on_disk().validator;
    // a digest tells more than a mark, which may be another on the next machine of a CDN: what
    // is here is then compared, and If-Range would bring all of the file again
    const bool is_declared = !owner_->file().id().declared.empty();
    const bool is_mark = strings::starts_with(known, "\"") || http::is_date(known);
    const bool is_strong = is_mark && !is_declared;
    const bool takes_headers = !o.fetch;  // options::fetch is told a number of bytes
    is_over_curl_ = takes_headers;
    const bool compares = asks_part_ && !is_strong && takes_headers;
    overlap_ = compares ? compared_bytes : 0;
    position_ = first_ - (std::min)(first_, overlap_);
    if (compares) {
      (void)owner_->file().write_back(part_);
    }

    const vector<string> ours{"Accept: */*", "Accept-Encoding: identity"};
    const vector<string> users = route_.is_home ? own_headers : vector<string>();
    const vector<string> lines = http::request_headers(ours, users);
    transport::transfer_request asked{url, http::with_cookies(lines, route_.jar, route_.at), first_,
        checks::connect_limit(o), o.stall_seconds};
    if (asks_part_ && takes_headers) {
      asked.headers.push_back(range_line());
      if (is_strong) {
        asked.headers.push_back("If-Range: " + known);
      }
    }

    pace_ = worker::pace{o.stall_seconds, told_.gained};
    pace_.excused = by.pace().held();
    by_ = &by;
    by.start(asked, *this);
  }

  // To the address that a redirect names: ask() is next.
  status redirect(const string& home) { return follow(route_, location_, home); }

  // ---- what it is

  const outcome& told() const { return told_; }

  const route& way() const { return route_; }

  partial_file::lease& part() { return part_; }

  const policy::verdict& head() const { return told_.head; }

  const http::declaration& declared() const { return route_.declared; }

  const string& mark() const { return mark_; }  // the validator of the answer; empty: none

  unsigned number() const { return number_; }

  ending how() const { return ending_; }

  bool is_over() const { return state_ == answer_state::over; }

  bool has_answered() const { return told_.code != 0; }

  bool restarts() const { return state_ == answer_state::restart; }

  bool tells_length() const { return told_.head.end > 0; }

  bool has_stalled() {
    return !is_over() && pace_.stalled(told_.gained, by_ ? by_->pace().held() : clock::duration());
  }

  status late() const {
    return fail(errc::timed_out, {"it gained under 64 KiB in ", pace_.limit, " s"});
  }

  double silent_seconds() const { return pace_.seconds(); }

  const status& problem() const { return why_; }

  // ---- what happens to it

  void note_taken_host() { told_.was_host_taken = true; }

  void abandon() {  // the transport is to be told, too
    part_.give_back();
    (void)close(ending::abandoned);
  }

  void refuse_as_odd(const char* why) {
    told_.head.kind = policy::answer_kind::odd;
    (void)refuse({why});
  }

  void take_part(partial_file::lease part) {  // of a file that begins anew
    position_ = 0;
    first_ = 0;
    part_ = std::move(part);
  }

  // What remains to be said of an answer that led nowhere else.
  status conclude() {
    const bool is_whole_page = why_.ok() || why_.code == errc::truncated;
    if (told_.code >= 400 && ending_ != ending::nothing_left && is_whole_page) {
      return http_error();
    }
    if (!why_.ok()) return why_;

    switch (ending_) {
      case ending::nothing_left:
      case ending::part_complete: return {};
      case ending::empty: return fail(errc::not_the_file, {"it is an empty file"});
      case ending::none:
      case ending::redirected:
      case ending::at_its_end:
      case ending::failed:
      case ending::abandoned: break;
    }
    return judge_end();
  }

  bool on_head(const http::response_head& head) override {
    if (state_ != answer_state::asked) return false;
    told_.code = head.code;
    hear(head.declared);
    if (policy::is_redirect(head.code)) return leave_for(head);

    const bool is_error = head.code >= 400;
    if (is_error || head.code == 202) {
      told_.wait_seconds = head.retry_after_seconds;
    }
    if (!is_error && !head.coding_problem.empty()) {
      return refuse({head.coding_problem});
    }
    if (!is_error && head.length_header == http::telling::malformed) {
      return refuse({"its Content-Length is malformed or given twice"});
    }

    const policy::asked asked{asks_part_, position_, owner_->has_siblings()};
    http::response_head all = head;
    all.declared = route_.declared;
    told_.head = policy::judge_head(all, asked, owner_->on_disk());
    mark_ = head.validator;
    return begin(head);
  }

  bool on_body(std::string_view bytes) override {
    switch (state_) {
      case answer_state::error_page: return keep_words(bytes);
      case answer_state::restart: return begin_anew() && receive(bytes);
      case answer_state::receiving: return receive(bytes);
      case answer_state::asked:
      case answer_state::closed:
      case answer_state::over: break;
    }
    return false;
  }

  bool on_wait() override { return owner_->may_go_on(*this); }

  void on_end(status why) noexcept override {
    const bool is_open = state_ != answer_state::closed && state_ != answer_state::over;
    if (is_open) {
      const bool has_begun = state_ != answer_state::restart;
      ending_ = has_begun ? ending::at_its_end : ending::empty;
      if (!why.ok()) {
        ending_ = ending::failed;
      }
      why_ = std::move(why);
    }
    enter(answer_state::over);
  }

 private:
  static constexpr uint64_t compared_bytes =
      uint64_t{64} * 1024;  // before and behind a part, without a mark

  void enter(answer_state next) noexcept { state_ = next; }

  // What the answer of an earlier hop said is nothing that holds for the next one, but for what it
  // declared of the file.
  void begin_answer(unsigned number) {
    number_ = number;
    told_.code = 0;
    told_.hops = route_.hops;
    told_.host = route_.host();
    told_.was_host_taken = false;
    told_.wait_seconds = 0;
    told_.head = outcome().head;
    location_.clear();
    words_.clear();
    mark_.clear();
    why_ = status();
    ending_ = ending::none;
    enter(answer_state::asked);
  }

  string range_line() const {
    const uint64_t total = owner_->file().id().total;
    const uint64_t end = part_.end();
    const bool is_bounded = end < total;  // total 0: not known
    const uint64_t last = is_bounded ? (std::min)(end + overlap_, total) - 1 : 0;
    return join({"Range: bytes=", position_, "-", is_bounded ? std::to_string(last) : string()});
  }

  // ---- each of these gives what a transport is told: false, no more is wanted

  bool close(ending how) {
    ending_ = how;
    enter(answer_state::closed);
    return false;
  }

  bool fail_with(status why) {
    why_ = std::move(why);
    return close(ending::failed);
  }

  bool refuse(std::initializer_list<error::piece> why) {
    return fail_with(fail(errc::http_status, why));
  }

  void hear(http::declaration said) {
    if (said.how == http::telling::nothing) return;
    said.by = join({route_.host(), " ", said.by});
    route_.declared = http::together(route_.declared, said);
  }

  bool leave_for(const http::response_head& head) {  // another address
    for (const string& line : head.set_cookies) {
      http::take_cookie(route_.jar, route_.at, line);
    }

    location_ = head.location;
    if (location_.empty()) {
      return refuse({"HTTP ", head.code, " without a Location"});
    }
    return close(ending::redirected);
  }

  bool begin(const http::response_head& head) {
    switch (told_.head.kind) {
      case policy::answer_kind::error_page: enter(answer_state::error_page); return true;
      case policy::answer_kind::complete:
        owner_->file().learn_total(told_.head.total);
        owner_->file().learn_declared(route_.declared);
        return close(ending::nothing_left);
      case policy::answer_kind::part:
      case policy::answer_kind::whole: return accept(head);
      case policy::answer_kind::redirect:  // on_head() has left
      case policy::answer_kind::odd: break;
    }
    const errc code = told_.head.is_another_file ? errc::hash_mismatch : errc::http_status;
    return fail_with(fail(code, {told_.head.why}));
  }

  bool accept(const http::response_head& head) {
    const bool is_whole = told_.head.kind == policy::answer_kind::whole;
    if (is_whole) {
      position_ = 0;
    }
    status may_come = owner_->accept(*this, head);
    if (!may_come.ok()) return fail_with(std::move(may_come));

    enter(is_whole ? answer_state::restart : answer_state::receiving);
    return true;
  }

  bool keep_words(std::string_view bytes) {
    words_ += bytes.substr(0, partial::head_size - words_.size());
    return words_.size() < partial::head_size;
  }

  bool begin_anew() {
    status begun = owner_->begin_anew(*this);
    if (!begun.ok()) return fail_with(std::move(begun));
    enter(answer_state::receiving);
    return true;
  }

  bool receive(std::string_view bytes) {
    const uint64_t answer_end = told_.head.end;  // what follows belongs to no file
    if (tells_length()) {
      bytes = bytes.substr(0, smaller(bytes.size(), answer_end - position_));
    }

    const uint64_t most = owner_->most_bytes();
    if (bytes.size() > most - (std::min)(position_, most)) {
      return fail_with(fail(errc::not_the_file,
          {"it has more than the ", most, " bytes of source::size or options::max_bytes"}));
    }

    while (!bytes.empty() && state_ == answer_state::receiving) {
      bytes.remove_prefix(take(bytes));
    }
    if (ending_ == ending::failed) return false;
    if (has_stalled()) return fail_with(late());  // nobody looks while a user's transport brings
    return owner_->may_go_on(*this) && state_ == answer_state::receiving;
  }

  // The first of these bytes: up to the next border between what is compared and what is new.
  size_t take(std::string_view bytes) {
    const uint64_t end = part_.end();
    const bool is_new = position_ >= first_ && position_ < end;
    const std::string_view ours = bytes.substr(0, smaller(bytes.size(), border() - position_));
    const bool is_taken = is_new ? write(ours) : compare(ours);
    if (!is_taken) return bytes.size();

    position_ += ours.size();
    if (position_ == end && position_ < told_.head.end) {
      owner_->has_filled(*this);
    }
    look_for_the_end(ours.size() < bytes.size());
    return ours.size();
  }

  uint64_t border() const {  // behind position_: up to it bytes are all compared, or all new
    if (position_ < first_) return first_;
    if (position_ < part_.end()) return part_.end();
    return (std::max)(position_, last_wanted());
  }

  void look_for_the_end(bool has_more) {  // of these bytes; the answer may have more in any case
    const bool has_known_end = !tells_length() && position_ == told_.head.total;
    if (has_known_end && has_more) {  // the length came with the same mark before
      return change_found("the file has more bytes than before under the same ETag or date");
    }

    const bool goes_on = has_more || position_ < told_.head.end;
    if (goes_on && position_ >= last_wanted()) {
      (void)close(ending::part_complete);
    }
  }

  bool write(std::string_view bytes) {
    status written = owner_->file().write(part_, bytes);
    if (!written.ok()) return fail_with(std::move(written));
    told_.gained += bytes.size();
    owner_->has_written(*this);
    return true;
  }

  bool compare(std::string_view bytes) {
    if (owner_->file().agrees(position_, bytes)) return true;
    change_found("the file has changed at the server");
    return false;
  }

  void change_found(const char* why) {
    told_.head.has_changed = true;
    (void)refuse({why});
  }

  uint64_t last_wanted() const {  // one behind it, with what is to be compared
    const uint64_t end = part_.end();
    return end == formats::endless ? end : end + overlap_;
  }

  string hint() const {
    const bool is_in_clear = route_.at.scheme == "http";  // through https no proxy can answer
    string whose;
    if (is_over_curl_ && is_in_clear && policy::may_be_of_proxy(told_.code)) {
      whose = transport::about(transport::proxy_of(route_.at.whole()));
    }
    if (told_.code == policy::wants_proxy_login) {
      return transport::text_of(transport::fault::proxy_wants_login).advice + whose;
    }
    return policy::hint_about(told_.code, route_.credentials()) + whose;
  }

  status http_error() const {
    const string where = route_.hops > 0 ? join({route_.host(), " "}) : string();
    const string said = words_.empty() ? string() : " " + sniff::first_words(words_);
    return fail(
        errc::http_status, {"the server ", where, "answered HTTP ", told_.code, said, hint()});
  }

  status judge_end() {  // of a body that has ended by itself
    const uint64_t answer_end = told_.head.end;
    if (tells_length() && position_ < answer_end) {
      return fail(errc::truncated,
          {"the connection ended after ", position_, " of ", answer_end, " bytes"});
    }

    partial_file& file = owner_->file();
    if (!file.is_begun()) {
      return fail(errc::not_the_file, {"it is an empty file"});
    }
    if (tells_length()) return {};

    const uint64_t total = file.id().total;
    if (total != 0 && position_ != total) {
      return fail(errc::truncated,
          {"the answer ended after ", position_, " bytes, but the file had ", total,
              " under the same ETag or date before"});
    }
    file.end_here();
    return {};
  }

  owner* owner_;
  route route_;
  partial_file::lease part_;  // not held: all of the file is asked for
  bool asks_part_;            // and not all of the file: it says what the request was, for good
  uint64_t first_;            // the first byte that is wanted
  uint64_t overlap_ = 0;      // bytes before and behind the part that are compared
  uint64_t position_ = 0;     // of the next byte of the answer

  answer_state state_ = answer_state::asked;
  ending ending_ = ending::none;
  status why_{};
  outcome told_{};
  worker::pace pace_{0};
  const transport::pump* by_ = nullptr;
  unsigned number_ = 0;
  string location_{}, words_{}, mark_{};
  bool is_over_curl_ = false;
};
}  // namespace connection

// ==== >>download ==== one file, from the first source that serves it right (state machine 1) ====
//
// A download tries the URLs of a source one after the other, each as often as policy::decide says,
// over as many connections as pay, and seals what has come. What an earlier call left is continued.
// All downloads of a call run side by side on the calling thread: advance() is called again and
// again, and waits only for a user's transport, a local source and the last sync. Uses connection.
namespace download {
using connection::outcome;
using partial::partial_file;

inline constexpr uint64_t worthwhile =
    uint64_t{64} * 1024;                      // bytes; less is no gain where time ran out
inline constexpr int idle_milliseconds = 50;  // for which nothing needs to be looked at

struct target {
  size_t item;  // of the call
  const source* from;
  partial::demand want;
  fs::path final_path;
  partial::trailing_copy* copy = nullptr;  // for the other tier, or none
  bool may_be_begun = true;                // false: no earlier call has left any of it
  box<partial_file> to = box<partial_file>(new partial_file());
  string got{}, etag{};     // the URL that served it, redacted; of the answer
  string address{};         // of that URL: see hash::of_address()
  bool is_unsized = false;  // nobody told how long it is: a cut could not be seen
  string declared{};        // "DIGEST HOST HEADER", if its server declared its digest
};

enum class request_for { the_rest, the_whole };

// A host may give one connection to a client: the files of a call take turns there.
enum class turn { never_needed, had };

// Bytes of several answers may not fit together.
enum class written_by { nobody, one_answer, several };

// What is known of the source that is in use, and forgotten with it.
struct source_in_use {
  string url{};
  string path{};  // of this machine; empty: it is a URL
  formats::identity id{};
  request_for asks = request_for::the_rest;
  policy::ranges parts = policy::ranges::unknown;
  turn its_turn = turn::never_needed;
  int tries = 0, fruitless = 0;  // fruitless: the last of them, that gained nothing
  int lost = 0;                  // connections that brought nothing
  uint64_t best = 0;             // the most bytes that were here after one
  unsigned most_connections = 1;
  bool tells_no_length = false;  // as an answer has shown, and others may: it is asked again last
  bool takes_others = true;      // what came from other URLs, and may be the same by its digest
};

// How many connections there are to be: twice as many, while the last new ones brought more.
class growth {
 public:
  unsigned wide() const { return wide_; }

  double rate() const { return rate_; }  // bytes per second

  void restart() { wide_ = 1; }

  void narrow_to(unsigned most) { wide_ = most; }

  // is_steady: all connections bring bytes, and more may be made.
  void look(bool is_steady, uint64_t size, uint64_t total, unsigned most) {
    const auto now = clock::now();
    const double seconds = std::chrono::duration<double>(now - mark_).count();
    const double rate = double(size - (std::min)(before_, size)) / seconds;
    const bool is_worth_a_look = is_steady && seconds > shortest_look;
    const bool was_good = wide_ < always_good || rate > least_growth * rate_;
    const bool pays = is_worth_a_look && (was_good || seconds > longest_look);

    if (pays && seconds_left(rate, size, total) > 1) {
      wide_ = (std::min)(most, 2 * wide_);
    }
    if (pays) {
      rate_ = rate;
    }
    if (!is_steady || pays) {
      mark_ = now;
      before_ = size;
    }
  }

 private:
  static constexpr double shortest_look = 0.1, longest_look = 2;  // seconds
  static constexpr double least_growth = 1.15;
  static constexpr unsigned always_good = 4;  // connections

  static double seconds_left(double rate, uint64_t size, uint64_t total) {
    constexpr double unknown = 60;
    return rate > 0 ? double(total - size) / rate : unknown;
  }

  clock::time_point mark_{};
  uint64_t before_ = 0;  // bytes that were here at mark_
  double rate_ = 0;
  unsigned wide_ = 1;
};

// What a failed call leaves to a later one, in words behind the failure: each file where they are
// few, else how many.
class remains {
 public:
  void keep(const string& file, uint64_t bytes) {
    kept_.add(file, bytes, " are kept for the next call");
  }

  void lose(const string& file, uint64_t bytes) { lost_.add(file, bytes, " cannot be continued"); }

  string words() const { return kept_.words() + lost_.words(); }

 private:
  struct part {
    size_t files = 0;
    uint64_t bytes = 0;
    string each{}, what{};

    void add(const string& file, uint64_t more, const char* becomes) {
      constexpr size_t few = 3;
      ++files;
      bytes += more;
      what = becomes;
      each = files <= few ? each + join({"; ", more, " bytes of ", file, becomes}) : string();
    }

    string words() const {
      if (files == 0 || !each.empty()) return each;
      return join({"; ", bytes, " bytes of ", files, " files", what});
    }
  };

  part kept_{}, lost_{};
};

// enter() alone changes the state.
//
//   choosing --> pausing --begin_try()--> transferring --finish()--> sealing --> done
//      ^           ^                          |  |                      |
//      |           +------ decide(): again ---+--|----------------------+
//      |           |                             |          failed: from every state
//      |           +-- end_turn() -- awaiting_turn <--+
//      +----------- decide(): another source ----+
class download final : os::pinned, public connection::connection::owner {
 public:
  using connection_list = list<box<connection::connection>>;
  using group = list<box<download>>;  // of a call

  enum class state { choosing, pausing, awaiting_turn, transferring, sealing, done, failed };

  // beside: who seals small files on another thread; nullptr: they are sealed here.
  download(
      target& wanted, caller& who, transport::pump& by, const group& all, partial::sealer* beside)
      : target_(wanted),
        who_(&who),
        pump_(&by),
        all_(&all),
        sealer_(beside) {}

  ~download() {
    take_back();
    hang_up();
  }

  bool is_over() const { return state_ == state::done || state_ == state::failed; }

  bool is_sealing() const { return state_ == state::sealing; }

  const status& result() const { return result_; }

  void advance() {
    if (is_sealing()) return look_at_seal();
    if (state_ == state::choosing) {
      choose_source();
    }
    look_at_connections();
    settle_ended();
    if (is_over() || is_sealing()) return;

    if (target_.copy) {
      target_.copy->follow(file());
    }
    if (who_->stopped()) return;
    go_on();
    if (!is_sealing()) {
      (void)tell();
    }
  }

  int idle_for() const {  // milliseconds in which nothing can be done but wait for bytes
    bool is_busy = state_ == state::choosing || (state_ != state::transferring && may_begin());
    for (const auto& one : connections_) {
      is_busy = is_busy || one->is_over();
    }
    return is_busy && !is_over() ? 0 : idle_milliseconds;
  }

  // To a later call, when this one has failed.
  void leave(remains& behind) {
    take_back();
    hang_up();
    keep_the_larger();
    const uint64_t had = file().size();
    const uint64_t kept = let_go();
    if (kept > 0) {
      behind.keep(name_, kept);
    } else if (had > worthwhile) {
      behind.lose(name_, had);
    }
  }

  uint64_t let_go() {  // for this call's next try, or a later call
    target_.may_be_begun = true;
    return file().release();
  }

  status keep(status why) {
    remains behind;
    leave(behind);
    why.text += behind.words();
    return why;
  }

  // ---- of its connections

  partial_file& file() override { return *target_.to; }

  policy::on_disk on_disk() const override {
    const formats::identity& its = target_.to->id();
    // another server's mark says nothing of this one's file
    const string validator = its.url == use_.id.url ? its.validator : string();
    const string& digest = has_pin() ? target_.want.sha256 : its.declared;
    return {target_.to->size(), its.total, validator, has_pin(), digest, target_.want.bound_by,
        is_of_another_url()};
  }

  bool has_siblings() const override { return connections_.size() > 1; }

  uint64_t most_bytes() const override { return checks::most_bytes(*target_.from, who_->opts()); }

  status accept(connection::connection& of, const http::response_head& head) override {
    target_.want.type = head.content_type;
    target_.etag = head.etag;
    is_chunked_ = head.is_chunked;
    tell_contradiction(of.declared());
    if (!head.accepts_ranges) {
      use_.most_connections = 1;
    }
    if (of.head().kind == policy::answer_kind::whole) {
      return accept_whole(of);
    }

    file().learn_total(of.head().total);
    file().learn_declared(of.declared());
    return has_room(of.head().total, file().size(), 0);
  }

  // The whole file begins: beside what is here, which stays until this is worth more.
  status begin_anew(connection::connection& of) override {
    of.part().give_back();
    const http::declaration& said = of.declared();
    if (is_of_another_url() && said.sha256 != file().id().declared) {
      leave_to_others();
    }
    set_aside();
    VQCACHE_NEED_(
        file().create(target_.final_path, content(), partial::hashing::behind, last_bytes()));
    (void)file().keep_as({target_.want.sha256, use_.id.url, of.mark(), of.head().total, said.sha256,
        said.sha256.empty() ? string() : said.by});
    of.take_part(file().take(1, formats::endless));
    if (!of.tells_length() && ends_unseen()) {
      file().tell_end_by(partial::end_told_by::connection);
    }
    return {};
  }

  void has_written(const connection::connection& of) override {
    if (authors_ == written_by::nobody) {
      author_ = of.number();
      authors_ = written_by::one_answer;
    }
    if (author_ != of.number()) {
      authors_ = written_by::several;
    }
  }

  // A connection whose part is full, while nothing has come of the next one and no answer has shown
  // yet that this server serves parts: it goes on, and nobody else is waited for.
  void has_filled(connection::connection& its) override {
    if (use_.parts == policy::ranges::honoured) return;

    for (auto& one : connections_) {
      const bool is_next =
          one.get() != &its && one->part().left() > 0 && one->part().begin() == its.part().end();
      if (!is_next || one->how() == connection::ending::abandoned) {
        continue;
      }
      if (one->has_answered() || !one->part().is_untouched()) return;
      one->abandon();
      use_.most_connections = 1;
    }
    file().take_what_follows(its.part());
  }

  bool may_go_on(const connection::connection&) override {
    if (is_worth_more()) {
      drop_kept("the file comes from its start, and more of it is here");
    }
    const bool is_users = static_cast<bool>(who_->opts().fetch);  // nobody else tells meanwhile
    return !is_users || tell();
  }

 private:
  void enter(state next) { state_ = next; }

  void go_on() {
    switch (state_) {
      case state::transferring: return widen();
      case state::pausing:
        if (may_begin()) {
          begin_try();
        }
        return;
      case state::awaiting_turn:
        if (may_begin()) {
          end_turn();
        }
        return;
      case state::choosing:
      case state::sealing:
      case state::done:
      case state::failed: return;
    }
  }

  // ---- declared digests

  // What is here came from another URL: nothing but the same declaration ties it to this one.
  bool is_of_another_url() const {
    const string& its = target_.to->id().url;
    return !has_pin() && target_.to->is_begun() && !its.empty() && its != use_.id.url;
  }

  bool has_digest() const { return has_pin() || !target_.to->id().declared.empty(); }

  // This server has not declared the same: what is here stays on the disk, for one that does.
  void leave_to_others() {
    use_.takes_others = false;
    (void)let_go();
  }

  void tell_contradiction(const http::declaration& said) {
    const bool is_one = said.how == http::telling::malformed;
    if (!is_one || std::exchange(told_contradiction_, true)) return;
    who_->warn({"The servers of ", name_, " contradict each other about its SHA-256 (", said.by,
        "); neither is believed."});
  }

  // ---- choosing a source

  void choose_source() {
    if (untried_.empty()) {  // those that tell no length, in the end
      untried_ = std::exchange(unsized_, {});
      takes_unsized_ = true;
    }
    use_ = source_in_use();
    use_.url = untried_.front();
    untried_.erase(untried_.begin());
    use_.path = urls::local_path(use_.url);
    const bool is_to_leave = !use_.path.empty() && file().is_begun() && !has_pin();
    if (is_to_leave) {
      (void)let_go();  // a copy takes the place of what is here
    }
    use_.id = {target_.want.sha256, hash::of(use_.url), {}, 0};
    const options& o = who_->opts();
    use_.most_connections = o.fetch ? 1 : o.connections;
    target_.got = urls::redact(use_.url);
    target_.address = hash::of_address(use_.url);
    not_before_ = clock::now();
    enter(state::pausing);
  }

  bool may_begin() const {
    if (clock::now() < not_before_) return false;
    return state_ != state::awaiting_turn || !is_taken(turn_of_);
  }

  // Whether another file of the call has a connection to the host, or one that has been answered.
  bool is_taken(const string& host, bool and_answers = false) const {
    for (const auto& other : *all_) {
      if (other.get() == this || other->is_over()) continue;
      for (const auto& one : other->connections_) {
        if (one->told().host == host && (one->has_answered() || !and_answers)) {
          return true;
        }
      }
    }
    return false;
  }

  // ---- one try

  void begin_try() {
    ++use_.tries;
    is_judged_ = false;
    fails_at_ = side::ours;
    starts_over_ = false;
    if (!use_.path.empty()) return end_local(copy_local());

    const status adopted = take_up();
    if (!adopted.ok()) return fail_try(adopted);
    if (use_.tries == 1 && file().size() > 0) {
      who_->say({"Continuing ", name_, " at byte ", file().size(), "."});
    }
    if (file().is_whole()) return finish();

    partial_file::lease part;
    if (file().is_begun()) {
      part = file().take(1, formats::endless);
    }
    if (file().is_begun() && !part.is_held()) {
      return fail_try(fail(errc::io, {"its unfinished parts contradict each other"}));
    }
    growth_.restart();
    if (tell()) {
      connect(std::move(part));
    }
  }

  // What an earlier call or try has left, if it can be continued.
  status take_up() {
    const bool is_users = static_cast<bool>(who_->opts().fetch);
    if (!file().is_begun() && !is_users && target_.may_be_begun) {
      VQCACHE_NEED_(file().adopt(target_.final_path, use_.id, content()));
      if (!file().is_begun() && use_.takes_others && !has_pin()) {
        VQCACHE_NEED_(
            file().adopt(target_.final_path, use_.id, content(), journal::tie::declaration));
      }
      authors_ = file().size() > 0 ? written_by::several : written_by::nobody;  // who knows
    }
    const bool can_go_on = file().id().usable() && pump_->serves_parts();
    if (file().is_begun() && !can_go_on) {
      starts_over_ = file().size() > 0;
      discard("it cannot be continued");
    }
    return {};
  }

  void end_local(const status& copied) {
    if (copied.ok()) return finish();
    fail_try(copied);
  }

  status copy_local() {  // a path or a file:// URL: the limits of a download hold for it, too
    const fs::path at = os::resolved(os::to_path(use_.path));
    if (at.empty()) {
      fails_at_ = side::source;
      const bool is_of_home = strings::starts_with(use_.path, "~");
      return fail(errc::io, {is_of_home ? "there is no home directory" : os::no_working_directory});
    }
    if (const os::info found = os::look(at); found.size > most_bytes()) {
      return too_large(found.size);
    }

    VQCACHE_NEED_(file().create(target_.final_path, content()));
    const partial::copy_result copied =
        partial::copy(at, os::mode::link, file(), *who_, phase::downloading);
    if (copied.is_of_source) {
      fails_at_ = side::source;
    }
    VQCACHE_NEED_(copied.how);
    const uint64_t size = file().size();  // it may have grown meanwhile
    return size > most_bytes() ? too_large(size) : status();
  }

  status too_large(uint64_t size) const {
    return fail(errc::not_the_file,
        {"it has ", size, " bytes, more than the ", most_bytes(),
            " of source::size or options::max_bytes"});
  }

  // Headers are for the host of the first URL that is no path.
  string home() const {
    for (const string& url : target_.from->urls) {
      if (!urls::local_path(url).empty()) continue;
      return urls::parse_url(url).value_or(urls::url()).origin();
    }
    return {};
  }

  void connect(partial_file::lease part) {
    const bool asks_whole = use_.asks == request_for::the_whole;
    const bool is_part =
        part.is_held() && !asks_whole && (file().size() > 0 || !connections_.empty());
    const uint64_t first = part.is_held() && !asks_whole ? part.next() : 0;

    home_ = home();
    connection::route from;
    from.at = urls::parse_url(use_.url).value_or(urls::url());
    from.is_home = from.at.origin() == home_;
    from.has_user = !from.at.user.empty();
    from.has_secret_headers = http::hold_credentials(target_.from->headers);

    connections_.push_back(box<connection::connection>(
        new connection::connection(*this, std::move(from), std::move(part), is_part, first)));
    enter(state::transferring);
    ask(*connections_.back(), use_.url);
  }

  void ask(connection::connection& one, const string& url) {
    one.ask(*pump_, url, who_->opts(), target_.from->headers, ++answers_);
    if (is_taken(one.told().host)) {
      one.note_taken_host();
    }
  }

  void look_at_connections() {
    for (size_t i = connections_.size(); i-- > 0;) {
      connection::connection& one = *connections_[i];
      if (is_taken(one.told().host)) {
        one.note_taken_host();
      }
      if (one.how() != connection::ending::abandoned) continue;
      pump_->cancel(one);
      connections_.erase_at(i);
    }
  }

  // ---- how many connections

  void widen() {
    if (connections_.empty()) return;
    const formats::identity& id = file().id();
    const bool is_in_parts = use_.asks == request_for::the_rest && !connections_[0]->restarts();
    const bool is_limited = pump_->pace().is_felt();  // by us: more connections bring nothing
    const bool has_parts = id.usable() && id.total != 0 && is_in_parts;
    const bool may = has_parts && use_.most_connections > 1;
    const bool have_all_answered = end_stalled() && !is_limited;
    growth_.look(may && have_all_answered, file().size(), id.total, use_.most_connections);

    while (may && connections_.size() < growth_.wide()) {
      constexpr double least_part = 1e6;  // bytes
      const double half_a_second = growth_.rate() / growth_.wide() / 2;
      const double least = (std::max)(half_a_second, least_part);
      partial_file::lease part = file().take(growth_.wide(), static_cast<uint64_t>(least));
      if (!part.is_held()) return;
      connect(std::move(part));
    }
  }

  // Ends the connections that gain too little; whether all the others have answered.
  bool end_stalled() {
    const unsigned limit = who_->opts().stall_seconds;
    // connecting has its own limit, and a server may think before it answers
    const unsigned patience = connections_.size() > 1 ? limit : 3 * limit;
    const unsigned grace = checks::connect_limit(who_->opts()) + patience;
    bool have_all_answered = true;
    for (auto& one : connections_) {
      have_all_answered = have_all_answered && one->has_answered() && !one->is_over();
      if (!one->has_stalled()) continue;
      if (!one->has_answered() && one->silent_seconds() < grace) {
        continue;
      }
      pump_->cancel(*one);
      one->on_end(one->late());
    }
    return have_all_answered;
  }

  void hang_up() {
    for (auto& one : connections_) {
      pump_->cancel(*one);
    }
    connections_.clear();
  }

  // ---- the end of an answer

  void settle_ended() {
    for (size_t i = 0; i < connections_.size() && !is_over() && !is_sealing();) {
      if (!connections_[i]->is_over()) {
        ++i;
        continue;
      }
      auto ended = std::move(connections_[i]);
      connections_.erase_at(i);
      settle(std::move(ended));
      i = 0;  // the list has changed
    }
    const bool is_between = state_ == state::transferring && connections_.empty();
    if (is_between) {  // the rest is asked for at once
      enter(state::pausing);
    }
  }

  void settle(box<connection::connection> ended) {
    status why;
    if (ended->how() == connection::ending::redirected) {
      why = ended->redirect(home_);
      if (why.ok()) {
        connections_.push_back(std::move(ended));
        return ask(*connections_.back(), connections_.back()->way().at.whole());
      }
    } else {
      why = ended->conclude();
    }
    const vector<string> secrets = http::secret_lines(target_.from->headers, ended->way().jar);
    why.text = http::scrub(why.text, ended->way().at.whole(), secrets);
    note_parts(*ended);

    // what waits to be written may be a page, which nobody is to see on the disk: seal() writes it
    const bool is_all_here = ended->how() == connection::ending::nothing_left;
    const bool is_complete = why.ok() && (file().is_whole() || is_all_here);
    if (is_complete && !who_->stopped()) {
      return finish(ended->told());
    }

    if (why.ok()) {  // else nobody would hear of a full disk
      why = file().write_back(ended->part());
    }
    settle_part(*ended);
    if (!who_->stopped()) {
      settle_failure(why, *ended);
    }
  }

  void note_parts(const connection::connection& ended) {
    const outcome& told = ended.told();
    const bool was_good = ended.problem().ok() || told.gained >= worthwhile;
    if (told.code == 206 && was_good) {
      use_.parts = policy::ranges::honoured;
    }
  }

  void settle_part(connection::connection& ended) {
    const outcome& told = ended.told();
    const bool brought_nothing = told.code >= 200 && told.gained == 0;
    if (brought_nothing) {
      file().pass_on(ended.part());
    }
    ended.part().give_back();
    if (!told.head.has_changed) return;

    hang_up();
    use_.most_connections = 1;  // its parts may come from different machines
    if (told.gained > 0) {
      discard("it has changed at the server; bytes of both versions are here");
    } else if (is_of_another_url()) {
      leave_to_others();
    }
  }

  // The others go on, if there are any; a host that refuses more connections gets no more.
  void settle_failure(const status& why, const connection::connection& ended) {
    const outcome& told = ended.told();
    if (why.cause || why.code == errc::no_space) {
      hang_up();
    }

    const bool is_a_try = !why.ok() || told.gained == 0 || use_.tries >= policy::most_tries;
    if (connections_.empty() && is_a_try) {
      return fail_try(why.ok() ? fail(errc::truncated, {"nothing came"}) : why, told);
    }

    const bool is_late = why.code == errc::timed_out;
    if (told.gained >= (is_late ? worthwhile : 1)) return;
    const bool is_refused = is_late || why.code == errc::http_status || ++use_.lost > 2;
    if (!is_refused) return;
    const bool is_told_so = told.code >= 429;
    use_.most_connections = is_told_so ? 1 : static_cast<unsigned>(connections_.size());
    growth_.narrow_to(use_.most_connections);
  }

  void finish(const outcome& last = outcome()) {
    const uint64_t size = file().size();
    hang_up();
    if (target_.copy) {
      target_.copy->follow(file());
    }
    if (!who_->step(phase::downloading, name_, size, size)) return;

    is_judged_ = true;
    const formats::identity& its = file().id();
    target_.want.declared = its.declared;
    target_.want.declared_by = its.declared_by;
    target_.declared = its.declared.empty() ? string() : join({its.declared, " ", its.declared_by});
    // what takes longer tells its progress, which is for this thread
    if (sealer_ && file().hand_over()) {
      last_ = last;
      sealer_->give(sealing_, file(), target_.want);
      return enter(state::sealing);
    }
    conclude(file().seal(target_.want, who_), last);
  }

  void look_at_seal() {
    if (!sealer_->is_back(sealing_)) return;
    const outcome last = std::exchange(last_, outcome());
    conclude(sealer_->take_back(sealing_), last);
  }

  void take_back() {  // before anybody else touches the file
    if (is_sealing()) {
      (void)sealer_->take_back(sealing_);
    }
  }

  void conclude(const status& sealed, const outcome& last) {  // of finish()
    if (may_be_cut(sealed)) return continue_cut(sealed, last);
    if (!sealed.ok()) return fail_try(sealed, last);

    const bool is_open_ended = file().end_is_told_by() == partial::end_told_by::connection;
    target_.is_unsized = is_open_ended && is_unvouched_for() && target_.declared.empty();
    if (kept_) {
      drop_kept("the whole file came beside it");
    }
    enter(state::done);
  }

  // The end of the connection was taken for the end of the file, and a digest or size says that it
  // was not: once, what came is continued, for the connection may have been cut.
  bool may_be_cut(const status& sealed) const {
    const bool is_short = sealed.code == errc::hash_mismatch || sealed.code == errc::truncated;
    const bool was_told = target_.to->end_is_told_by() == partial::end_told_by::length;
    return is_short && !was_told && target_.to->id().usable() && !cut_was_tried_;
  }

  void continue_cut(status why, const outcome& last) {
    cut_was_tried_ = true;
    is_judged_ = false;
    (void)let_go();  // the next try takes it up, and hashes it from its start
    why.code = errc::truncated;
    why.text = "the connection may have ended before the file did: " + why.text;
    fail_try(std::move(why), last);
  }

  // ---- what follows a try that failed

  void fail_try(status why, const outcome& last = outcome()) {
    if (who_->stopped()) return;
    policy::attempt made = attempt_of(why, last);
    if (made.is_wrong) {
      authors_ = written_by::nobody;
    }
    if (made.is_wrong && made.is_mixed) {
      use_.most_connections = 1;
    }
    clear_away(why, made, last);
    if (made.is_ours) {
      why.text = join({name_, ": ", why.text});
      return give_up(why);
    }

    const int fruitless_before = use_.fruitless;
    const bool has_gained = count_gain(why);
    made.fruitless = use_.fruitless;
    const policy::next_step next = policy::decide(made);
    use_.asks =
        next == policy::next_step::whole_file ? request_for::the_whole : request_for::the_rest;
    switch (next) {
      case policy::next_step::try_again:
      case policy::next_step::whole_file: return pause(made, last, has_gained);
      case policy::next_step::take_turns:
        use_.fruitless = fruitless_before;  // it was no try of its own
        return await_turn(last);
      case policy::next_step::next_source: return give_up_source(why, made, last);
      case policy::next_step::stop: return give_up(why);
    }
  }

  bool count_gain(const status& why) {
    const uint64_t size = file().size();
    const uint64_t least = why.code == errc::timed_out ? worthwhile : 1;  // that was worth it
    const bool has_gained = size >= use_.best + least;
    if (has_gained) {
      use_.best = size;
    }
    // what is won by starting over costs the server all that came before once more
    use_.fruitless = has_gained && !starts_over_ ? 0 : use_.fruitless + 1;
    return has_gained;
  }

  policy::attempt attempt_of(const status& why, const outcome& last) const {
    policy::attempt made;
    made.failure = why.code;
    made.code = last.code;
    made.is_ours = is_of_this_machine(why);
    made.is_local = !use_.path.empty();
    made.wanted_rest = last.was_part;
    // a page in place of the rest says nothing of the file
    const bool is_page = last.was_part && kept_ && why.code == errc::not_the_file;
    made.is_wrong = is_judged_ && !why.cause && !is_page && is_of_content(why.code);
    made.is_mixed = authors_ == written_by::several;
    made.is_odd = last.head.kind == policy::answer_kind::odd;
    made.is_unmarked = last.head.is_unmarked;
    made.has_changed = last.head.has_changed;
    made.is_another_file = last.head.is_another_file;
    const uint64_t least = why.code == errc::timed_out ? worthwhile : 1;
    made.gained = last.gained >= least && !is_page;
    const bool is_denied = last.code == 401 || last.code == 403;
    made.denied = last.hops == 0 && is_denied && !untried_.empty();
    made.host_is_taken = is_host_taken(last);
    made.had_turn = use_.its_turn == turn::had;
    made.wait = last.wait_seconds;
    made.tries = use_.tries;
    made.parts = use_.parts;
    return made;
  }

  bool is_of_this_machine(const status& why) const {
    const bool is_of_disk = why.cause || why.code == errc::no_space;
    const bool is_of_user = why.code == errc::invalid_argument || why.code == errc::no_transport
        || why.code == errc::callback;
    return (is_of_disk && fails_at_ == side::ours) || is_of_user;
  }

  static bool is_of_content(errc code) {
    return code == errc::not_the_file || code == errc::truncated || code == errc::hash_mismatch;
  }

  bool is_host_taken(const outcome& last) const {
    // without any answer only another file that gets one shows that the host lives
    if (last.code == 0) return is_taken(last.host, true);
    const bool was_taken = last.was_host_taken && use_.its_turn != turn::had;
    return was_taken || is_taken(last.host);
  }

  // What a failed try leaves: wrong bytes go, and of two beginnings the larger one stays. A fault
  // of this machine takes nothing away.
  void clear_away(const status& why, const policy::attempt& made, const outcome& last) {
    const bool has_judged_bytes = is_judged_ || last.gained > 0;
    if (why.code == errc::not_the_file && has_judged_bytes) {
      file().drop();
    } else if (made.is_wrong) {
      discard(why.text);
    }
    keep_the_larger();
  }

  void pause(const policy::attempt& made, const outcome& last, bool has_gained) {
    const uint64_t some =
        std::hash<string>()(os::unique()) % 50;  // so that many do not come at once
    const uint64_t milliseconds = (50 + some) * 5 << use_.fruitless;
    const bool is_hurried = has_gained || use_.asks == request_for::the_whole;
    const bool at_once = is_hurried && !policy::is_busy(made.code);
    wait_at_least(last, at_once ? 0 : milliseconds);
    enter(state::pausing);
  }

  void await_turn(const outcome& last) {
    turn_of_ = last.host;
    use_.most_connections = 1;
    who_->say({"The server of ", name_, " refuses another connection; it waits for its turn."});
    wait_at_least(last, 0);
    enter(state::awaiting_turn);
  }

  void end_turn() {  // a server takes a moment to see that the other connection has ended
    constexpr std::chrono::milliseconds moment(300);
    use_.its_turn = turn::had;
    not_before_ = clock::now() + moment;
    enter(state::pausing);
  }

  void wait_at_least(
      const outcome& last, uint64_t milliseconds) {  // as the server asks; as we think
    const bool is_obeyed = last.wait_seconds > 0 && last.wait_seconds <= policy::longest_wait;
    const uint64_t asked = is_obeyed ? last.wait_seconds * uint64_t{1000} : 0;
    not_before_ = clock::now() + std::chrono::milliseconds((std::max)(asked, milliseconds));
    if (is_obeyed) {
      who_->say(
          {"The server of ", name_, " asks to wait ", last.wait_seconds, " s until the next try."});
    }
  }

  void give_up_source(status why, const policy::attempt& made, const outcome& last) {
    const bool is_dead = policy::is_of_network(why.code) || why.code == errc::tls;
    if (made.code == 0 && is_dead) {
      ask_this_host_last();
    }
    const uint64_t size = file().size();
    if (!has_digest()) {  // another server's file may be another
      why = keep(std::move(why));
    }

    tried_ += join({tried_.empty() ? "'" : "; then '", strings::readable(target_.got),
        "': ", http::scrub(why.text, use_.url, target_.from->headers),
        checks::advice_about(use_.url, why.code)});
    if (use_.tries > 1) {
      tried_ += join({" (", use_.tries, " tries)"});
    }
    if (last.wait_seconds > policy::longest_wait) {
      tried_ += join({"; it asks to come back in ", last.wait_seconds, " s"});
    }
    if (file().is_begun() && !untried_.empty()) {
      tried_ += join({"; ", size, " bytes are here"});
    }

    if (use_.tells_no_length) {
      unsized_.push_back(use_.url);
    }
    if (!untried_.empty() || !unsized_.empty()) {
      tell_next_source(why);
      return choose_source();
    }
    tried_ += advice_about_digest(why.code);
    why.text = join({"cannot bring ", name_, " from ", tried_});
    give_up(why);
  }

  void tell_next_source(const status& why) {
    const string url = strings::readable(target_.got);
    const string words = http::scrub(why.text, use_.url, target_.from->headers);
    who_->say_failed(
        {"The source ", url, " of ", name_, " has failed: ", words, "; taking the next one."});
  }

  const char* advice_about_digest(errc failure) const {
    if (failure != errc::hash_mismatch || !has_pin()) return "";
    const bool is_of_receipt = target_.from->sha256.empty();
    if (is_of_receipt) {
      return "; for what is there now, remove the model (vqcache::remove), and call again";
    }
    return "; look where the pin came from, or try another source; or pin these bytes instead";
  }

  void ask_this_host_last() {
    const optional<urls::url> here = urls::parse_url(use_.url);
    if (!here) return;

    vector<string> others, same;
    for (const string& url : untried_) {
      const optional<urls::url> there = urls::parse_url(url);
      const bool is_same = there && there->origin() == here->origin();
      (is_same ? same : others).push_back(url);
    }
    untried_ = std::move(others);
    untried_.insert(untried_.end(), same.begin(), same.end());
  }

  void give_up(const status& why) {
    result_ = keep(why);
    enter(state::failed);
  }

  // ---- two beginnings of the file: what is here stays until the new one is worth more

  void set_aside() {
    const bool has_bytes = file().size() > 0;
    starts_over_ = starts_over_ || has_bytes;
    if (has_bytes && !kept_) {
      kept_ = std::exchange(target_.to, box<partial_file>(new partial_file()));
      kept_authors_ = authors_;
    } else {
      discard("the server sends the file from its start");
    }
    authors_ = written_by::nobody;
  }

  bool is_worth_more() {  // the new beginning, than the one that was kept
    return kept_ && file().is_begun() && file().id().usable() && file().size() > kept_->size()
        && !file().begins_as_page(target_.want.type);
  }

  void keep_the_larger() {  // when bytes have ended to arrive
    if (!kept_) return;
    if (is_worth_more()) {
      return drop_kept("more of the file came beside it");
    }
    if (file().size() > 0) {
      discard("what an earlier try brought is more");
    }
    target_.to = std::move(kept_);
    authors_ = kept_authors_;
  }

  void drop_kept(const string& why) {
    const uint64_t size = kept_->size();
    kept_->drop();
    kept_ = nullptr;
    say_discarded(size, why);
  }

  void discard(const string& why) {
    const uint64_t size = file().size();
    file().drop();
    say_discarded(size, why);
  }

  void say_discarded(uint64_t size, const string& why) {
    if (size > 0) {
      who_->warn({"Discarded ", size, " bytes of ", name_, ": ", why, "."});
    }
  }

  // ---- a body without length and chunks: its end proves nothing

  status accept_whole(connection::connection& of) {
    const bool is_unvouched = is_unvouched_for() && of.declared().sha256.empty();
    const bool is_unsized = !of.tells_length() && ends_unseen() && is_unvouched;
    if (is_unsized && !takes_unsized_ && !untried_.empty()) {
      use_.tells_no_length = true;
      of.refuse_as_odd("it tells no length, so that a cut could not be seen; another source may");
      return of.problem();
    }
    // what is here may have to stay: it is to be on the disk before the room there is looked at
    VQCACHE_NEED_(file().write_back_all());
    return has_room(of.head().total, 0, file().size());
  }

  // total: 0: not known. have: of it here already. held: by a beginning that stays beside it.
  status has_room(uint64_t total, uint64_t have, uint64_t held) {
    if (total > most_bytes()) return too_large(total);

    const fs::path here = target_.final_path.parent_path();
    const uint64_t needed = total - (std::min)(have, total);
    const bool has_copy = target_.copy && target_.copy->fits(total, here, needed);
    if (!has_copy) {  // one that would not fit is not begun
      target_.copy = nullptr;
    }

    status room = partial::has_room(here, total, have);
    if (!room.ok() && held > 0) {
      room.text += join({", or remove the ", held, " bytes of ", name_,
          " that an earlier try left there (vqcache::remove)"});
    }
    return room;
  }

  bool ends_unseen() const { return !is_chunked_ && !who_->opts().fetch; }

  bool has_pin() const { return !target_.want.sha256.empty(); }

  bool is_unvouched_for() const { return !has_pin() && target_.want.size == 0; }

  partial::content content() const {  // of what is to come
    return {target_.want.kind, partial::judge_with(target_.want.sha256), partial::block_sums::kept};
  }

  partial::last_bytes last_bytes() const {
    return sealer_ ? partial::last_bytes::in_seal : partial::last_bytes::at_once;
  }

  bool tell() {
    const uint64_t known = target_.to->id().total;
    const uint64_t total = known != 0 ? known : target_.from->size;
    return who_->step(phase::downloading, name_, target_.to->size(), total);
  }

  enum class side { ours, source };

  target& target_;
  caller* who_;
  transport::pump* pump_;
  const group* all_;  // those of one host take turns where it wants that
  partial::sealer* sealer_;
  partial::sealer::order sealing_{};
  outcome last_{};  // of state::sealing: the answer that brought the last of it
  string name_ = who_->called(os::shown(target_.final_path));
  vector<string> untried_ = target_.from->urls, unsized_{};
  string tried_{};  // what is said of the sources that failed
  string home_{};   // the origin of the first URL

  state state_ = state::choosing;
  status result_{};
  source_in_use use_{};
  growth growth_{};
  connection_list connections_{};
  unsigned answers_ = 0;            // so far
  clock::time_point not_before_{};  // of pausing and awaiting_turn
  string turn_of_{};                // the host on which another file of the call has to end first

  box<partial_file> kept_{};  // an earlier beginning of the file
  written_by authors_ = written_by::nobody, kept_authors_ = written_by::nobody;
  unsigned author_ = 0;  // the answer whose bytes are here, if it is one

  side fails_at_ = side::ours;  // whose reading or writing failed, of a local source
  bool is_judged_ = false;      // of this try: all came, and seal() has looked at it
  bool starts_over_ = false;    // of this try: bytes that were here came once more, or are to come
  bool is_chunked_ = false;     // the last answer: it tells its own end
  bool takes_unsized_ = false;  // nothing is left but sources that tell no length
  bool cut_was_tried_ = false;  // once: see continue_cut()
  bool told_contradiction_ = false;
};

// So many files at the same time: what is small takes turns on few connections. A user's transport
// does one request after the other.
inline size_t files_at_once(const options& o) {
  constexpr unsigned most = 8;
  return o.fetch ? 1 : (std::min)(2 * o.connections, most);
}

struct progress_of {  // a few downloads
  status result{};
  size_t under_way = 0, sealing = 0;
  int idle = idle_milliseconds;  // for which nothing needs to be looked at
};

inline constexpr size_t most_sealing = 32;  // files that wait for it: each is open

inline progress_of advance(const download::group& all, size_t first, caller& who) {
  const size_t most = files_at_once(who.opts());
  progress_of now;
  const auto may_be_more = [&now, most] {
    return now.under_way < most && now.sealing < most_sealing;
  };

  for (size_t i = first; i < all.size() && may_be_more(); ++i) {
    download& one = *all[i];
    if (one.is_over()) continue;

    one.advance();
    now.result = who.stopped() ? who.stop() : one.result();
    if (!now.result.ok()) break;
    if (one.is_sealing()) {
      ++now.sealing;
    } else if (!one.is_over()) {
      ++now.under_way;
    }
    now.idle = (std::min)(now.idle, one.idle_for());
  }
  return now;
}

// Side by side; the first that fails ends the others.
inline status fetch(list<target>& targets, caller& who) {
  constexpr size_t many = 3;  // files: there others still come while one is sealed
  transport::pump by(who);
  partial::sealer beside;
  const bool is_beside = targets.size() >= many && beside.start();
  download::group all;
  for (target& wanted : targets) {
    all.push_back(box<download>(new download(wanted, who, by, all, is_beside ? &beside : nullptr)));
  }

  status result;
  size_t first = 0;  // that is not over
  while (first < all.size() && result.ok()) {
    const progress_of now = advance(all, first, who);
    result = now.result;
    while (first < all.size() && all[first]->is_over()) {
      ++first;
    }
    if (now.under_way > 0 && result.ok()) {
      by.run_for(now.idle);
    } else if (now.sealing > 0 && result.ok()) {
      beside.wait_for_any(std::chrono::milliseconds(idle_milliseconds));
    }
  }
  if (result.ok()) return result;

  remains behind;
  for (auto& one : all) {
    one->leave(behind);
  }
  result.text += behind.words();
  return result;
}
}  // namespace download

// ==== >>tier ==== where finished files lie: the interface, and a directory as one ====
// Belongs here: which names a set of files owns, what a tier holds, how a file gets there and away
// from there. What is to be done with it is >>plan's to say. Under a final name is the whole file
// or nothing, and a receipt speaks of what stands.
namespace tier {
// ---- the names that a set of files owns in each tier, decided before anything is touched

// flat: the files lie beside those of other sets, as the pair of a VQGAN does, and a set of one
// file that is called like the set. folder: in a directory that is called like the set.
enum class layout { flat, folder };

inline layout layout_of(const string& set, const vector<string>& files) {
  const bool is_itself = files.size() == 1 && files[0] == set;
  const string config = set + catalog::endings[0];
  const string checkpoint = set + catalog::endings[1];
  const bool is_pair = files.size() == 2
      && ((files[0] == config && files[1] == checkpoint)
          || (files[0] == checkpoint && files[1] == config));
  return is_itself || is_pair ? layout::flat : layout::folder;
}

struct owned {           // in one tier: paths relative to its directory, with / between the parts
  vector<string> files;  // in the order of the set
  string receipt;
};

struct owned_paths {
  string set;
  layout how = layout::folder;
  owned local, lasting;
  status problem;  // errc::invalid_argument: what the set may not be called, or may not hold
};

// What the library calls its own files: no file of a set may look like one.
inline bool is_reserved(std::string_view file) {
  const string name = strings::lower(file.substr(file.rfind('/') + 1));
  const bool is_hidden = strings::starts_with(name, ".");
  const bool is_temporary = strings::ends_with(name, ".part") || strings::ends_with(name, ".record")
      || strings::ends_with(name, ".lock") || strings::contains(name, ".lease.");

  constexpr std::string_view mark = ".corrupt-";
  constexpr size_t digits = 8;
  const size_t at = name.rfind(mark);
  const bool is_aside = at != npos && name.size() == at + mark.size() + digits
      && strings::consists_of(std::string_view(name).substr(at + mark.size()), strings::hex_digits);

  return strings::ends_with(name, ".sha256") || (is_hidden && is_temporary) || is_aside;
}

// Whether one file system can hold both: it cannot where one is the other, or a folder of the
// other. Case does not count: some file systems (macOS, Windows, some mounts) ignore it.
inline bool is_one_path(const string& a, const string& b) {
  const string one = strings::lower(a), other = strings::lower(b);
  return one == other || strings::starts_with(one, other + "/")
      || strings::starts_with(other, one + "/");
}

// Each part is held to the rule of names, which gives the set its length: what follows the set's
// own name comes on top of that.
inline string file_problem(const string& set, const string& file) {  // or empty
  if (is_reserved(file)) {
    return "the library calls files of its own like that";
  }

  for (size_t begin = 0; begin <= file.size();) {
    const size_t end = (std::min)(file.find('/', begin), file.size());
    const string part = file.substr(begin, end - begin);
    const bool extends = strings::starts_with(part, set + ".");
    string why = strings::name_problem(extends ? "x" + part.substr(set.size()) : part);
    const bool is_all = part.size() == file.size();
    if (!why.empty() && is_all) return why;
    if (!why.empty()) {
      return join({"its part '", strings::printable(part), "': ", why});
    }
    begin = end + 1;
  }
  return {};
}

// Sorted so that what lies in a folder comes right behind the folder's name, and a file behind its
// like: then neighbours tell, and a set of thousands is no work.
inline status twice_one_path(const vector<string>& files) {
  vector<string> sorted;
  for (const string& file : files) {
    string key = strings::lower(file);
    std::replace(key.begin(), key.end(), '/', '\1');
    key += '\0';
    key += file;
    sorted.push_back(std::move(key));
  }
  std::sort(sorted.begin(), sorted.end());

  for (size_t i = 1; i < sorted.size(); ++i) {
    string before = sorted[i - 1].substr(sorted[i - 1].find('\0') + 1);
    string file = sorted[i].substr(sorted[i].find('\0') + 1);
    if (!is_one_path(before, file)) continue;

    const auto first = std::find(files.begin(), files.end(), before);
    if (std::find(files.begin(), first, file) != first) {  // as they were given
      std::swap(before, file);
    }
    return fail(errc::invalid_argument,
        {"the files '", before, "' and '", file,
            "' cannot both be: some file systems take them for one"});
  }
  return {};
}

inline status set_problem(const string& set, const vector<string>& files) {
  const string why = strings::name_problem(set);
  if (!why.empty()) {
    return fail(errc::invalid_argument, {"this name cannot be used: ", why});
  }
  if (files.empty()) {
    return fail(errc::invalid_argument, {"a set needs at least one file"});
  }
  if (files.size() > formats::most_files) {
    return fail(errc::invalid_argument,
        {"a set has at most ", formats::most_files, " files, this one ", files.size()});
  }

  for (const string& file : files) {
    const string odd = file_problem(set, file);
    if (!odd.empty()) {
      return fail(errc::invalid_argument, {"the file '", strings::printable(file), "': ", odd});
    }
  }
  return twice_one_path(files);
}

// Pure: what stands on a disk does not count.
inline owned_paths paths_of(const string& set, const vector<string>& files, layout how) {
  owned_paths all;
  all.set = set;
  all.how = how;
  all.problem = set_problem(set, files);
  if (!all.problem.ok()) return all;

  for (const string& file : files) {
    const string inside = join({set, "/", file});
    all.local.files.push_back(how == layout::flat ? file : inside);
    all.lasting.files.push_back(inside);
  }
  all.local.receipt = set + ".sha256";
  all.lasting.receipt = join({set, "/", set, ".sha256"});
  return all;
}

inline const string* common_path(const owned& ours, const owned& theirs) {  // ours; null: none
  list<const string*> others{&theirs.receipt};
  for (const string& file : theirs.files) {
    others.push_back(&file);
  }

  for (const string* other : others) {
    if (is_one_path(ours.receipt, *other)) return &ours.receipt;
    for (const string& file : ours.files) {
      if (is_one_path(file, *other)) return &file;
    }
  }
  return nullptr;
}

// errc::name_taken: the two sets cannot stand beside each other. The same set, which may have got
// or lost files meanwhile, is no other one.
inline status clash(const owned_paths& ours, const owned_paths& other) {
  if (!other.problem.ok()) return {};  // it holds nothing, or its receipt is garbage
  if (ours.set == other.set && ours.how == other.how) return {};

  const string* path = common_path(ours.local, other.local);
  if (!path) {
    path = common_path(ours.lasting, other.lasting);
  }
  if (!path) return {};
  return fail(errc::name_taken,
      {"'", *path, "' belongs to the model '", other.set, "'; use another name for '", ours.set,
          "', or remove that model"});
}

struct held_set {  // as receipts tell
  layout how = layout::flat;
  vector<string> files{};  // none: no receipt speaks of any
};

// By the receipt of a directory with many sets.
inline held_set held_in(const string& set, const formats::receipt& receipt) {
  const string folder = set + "/";
  held_set all;
  for (const formats::entry& one : receipt) {
    const bool is_inside = strings::starts_with(one.file, folder);
    if (is_inside) {
      all.how = layout::folder;
    }
    all.files.push_back(is_inside ? one.file.substr(folder.size()) : one.file);
  }
  return all;
}

// By both receipts: where there is a local one, it tells how the files lie.
inline held_set held_by(
    const string& set, const formats::receipt& local, const formats::receipt& lasting) {
  held_set all = held_in(set, local);
  for (const formats::entry& one : lasting) {
    if (std::find(all.files.begin(), all.files.end(), one.file) == all.files.end()) {
      all.files.push_back(one.file);
    }
  }
  if (local.empty() && !lasting.empty()) {
    all.how = layout_of(set, all.files);
  }
  return all;
}

// The sets that, by their names, may own a path of this one where many lie in one directory: the
// pair NAME owns NAME.yaml and NAME.ckpt, and a set of one file may be called so.
inline vector<string> sets_that_may_own(const owned_paths& ours) {
  vector<string> names;
  for (const string& path : ours.local.files) {
    const string first = path.substr(0, path.find('/'));
    if (first != ours.set) {
      names.push_back(first);
    }
  }
  for (const char* ending : catalog::endings) {
    const size_t stem = ours.set.size() - (std::min)(ours.set.size(), std::strlen(ending));
    if (stem > 0 && ours.set.substr(stem) == ending) {
      names.push_back(ours.set.substr(0, stem));
    }
  }
  return names;
}

// The file whose unfinished or damaged form a name is: ".FILE.0123456789abcdef.part" and .record,
// "FILE.corrupt-0123abcd"; empty: it is none.
inline string leftover_of(std::string_view name) {
  constexpr std::string_view mark = ".corrupt-";
  constexpr size_t aside_digits = 8, unique_digits = 16;
  const auto ends_in_digits = [&name](size_t digits) {
    return name.size() > digits
        && strings::consists_of(name.substr(name.size() - digits), strings::hex_digits);
  };

  if (ends_in_digits(aside_digits)) {
    name.remove_suffix(aside_digits);
    if (!strings::ends_with(name, mark)) return {};
    return string(name.substr(0, name.size() - mark.size()));
  }

  const bool is_unfinished =
      strings::ends_with(name, ".part") || strings::ends_with(name, ".record");
  if (!is_unfinished || name[0] != '.') return {};
  name = name.substr(0, name.rfind('.'));
  if (!ends_in_digits(unique_digits)) return {};
  name.remove_suffix(unique_digits);
  return name.size() > 2 && name.back() == '.' ? string(name.substr(1, name.size() - 2)) : string();
}

// ---- what a tier holds, as values: that is all that a plan is made from

// A file as its tier has it, told by its name, its size and the tier's receipt. It was not read,
// but for the look of what no receipt speaks of.
struct stored_file {
  enum class presence { absent, regular, something_else, unknown };

  string name;
  presence is = presence::absent;
  uint64_t size = 0;
  int problem = 0;        // of presence::unknown: why it cannot be told, a value of errno
  formats::entry said{};  // by the receipt: a digest or none, a size or 0
  status look{};          // where judge() was asked: whether it may be such a file

  bool is_absent() const { return is == presence::absent; }

  bool is_regular() const { return is == presence::regular; }

  bool stands() const { return is_regular() || is == presence::something_else; }

  // A receipt that was cut may tell a size, and lack the digest.
  bool has_receipt() const { return !said.sha256.empty(); }

  bool is_vouched_for() const { return has_receipt() && !said.unverified; }

  bool fits_receipt() const { return is_regular() && (said.size == 0 || said.size == size); }

  bool is_said_to_be(const string& sha256) const { return has_receipt() && said.sha256 == sha256; }

  bool is_no_such_file() const {
    return look.code == errc::not_the_file || look.code == errc::truncated;
  }
};

struct inventory {
  list<stored_file> files{};  // in the order of the set
  bool has_receipt = false;   // of whatever files
  status receipt_problem{};   // there may be a receipt, but it cannot be read
  status taken{};             // another model stands there under a name that differs in case only
};

struct abilities {
  bool is_writable = false;
  bool has_paths = false;      // a file can be opened by its path: users get one, blocks are shared
  bool keeps_damaged = false;  // what is set aside can be taken back
  bool can_be_listed = false;  // for other sets than the one that it was opened for
  bool continues_uploads = false;  // bytes that a sink took are there for the next call
  bool takes_copies = true;        // false: it is read, and never written
};

// ---- a tier: where the files of one set lie

struct block {
  status problem{};
  std::string_view bytes{};  // valid until the next call; empty: the end
};

struct digest_of_file {
  status problem{};
  string sha256{};
};

struct file_place {  // of a tier that has paths
  fs::path path{};
  os::mode how = os::mode::read;  // link: links are followed
};

// Reads a stored file, from any offset.
class byte_source : os::pinned {
 public:
  virtual ~byte_source() = default;

  virtual block read_at(uint64_t offset, size_t most) = 0;
};

// Takes a file in order. Until its tier commits it nothing stands under its name; where it is not
// committed, nothing of it is left but what a later call can continue.
class byte_sink : os::pinned {
 public:
  virtual ~byte_sink() = default;

  virtual status write(std::string_view bytes) = 0;

  // All has come: it is held to what it has to be, and safe from a power cut when this succeeds.
  virtual status seal(const partial::demand& want, caller* who) = 0;

  virtual status publish() = 0;  // for commit() of its tier alone

  virtual bool is_open() const = 0;  // something is to be published

  virtual const string& sha256() const = 0;  // once it is sealed

  virtual uint64_t size() const = 0;  // bytes that have come

  // The unfinished file itself, where its tier has paths: then the kernel may copy into it, and a
  // worker's thread may write to it. Else null, and write() is called on the calling thread.
  virtual partial::partial_file* as_file() { return nullptr; }
};

using sinks = list<byte_sink*>;

struct opened {
  status problem{};
  box<byte_source> source{};
};

struct arriving {  // a file that is to be written
  string name;
  sniff::kind kind;
  optional<uint64_t> size{};  // once it is known: a store without room may say so at once
  bool has_digest = false;    // that will judge it, whatever it looks like
};

struct begun {
  status problem{};
  box<byte_sink> sink{};
};

struct put_aside {
  status problem{};
  string name{};  // that it has now; empty: its bytes are lost
};

// What a tier has to do; tests/tier/contract.cpp asks each of them for it. It is opened for one
// set; names are those of the set's files. Nothing here trusts a lock, a condition or a listing:
// whoever reads a file holds it to its digest.
//
// An object store has no paths, no rename and no set_aside that keeps bytes; its sink is an upload
// of parts, its commit completes them and then creates the receipt on the condition that there is
// none. A condition that fails because of an equal receipt is success.
class tier : os::pinned {
 public:
  virtual ~tier() = default;

  virtual string description() const = 0;                       // for messages, quoted
  virtual string description_of(const string& name) const = 0;  // of one file

  virtual abilities can() const = 0;

  virtual file_place place_of(const string&) const { return {}; }  // of a tier that has paths

  // Names, sizes and the receipt, with the fewest questions: a hit asks nothing else.
  virtual inventory inspect() = 0;

  // What has no receipt is judged by its head and tail: errc::not_the_file or truncated, or a
  // failure to read. Nothing that a receipt speaks of is judged.
  virtual status judge(const stored_file& file, sniff::kind kind) = 0;

  virtual opened read(const string& name) = 0;

  virtual begun write(const arriving& file) = 0;

  // All files, then the receipt. A crash leaves each name whole or absent, and no receipt that
  // lies: one that would goes first.
  virtual status commit(const sinks& files, const formats::receipt& now) = 0;

  virtual status renew_receipt(const formats::receipt& now) = 0;  // of files that stay as they are

  // What is damaged loses its name, and is kept under another one, so that nothing is lost, if
  // the tier can do that. What was put aside earlier goes, but only after it was hashed: what is
  // one of the known digests after all stays.
  virtual put_aside set_aside(
      const stored_file& file, const string& why, const vector<string>& known, caller& who) = 0;

  // What was put aside may be right: a drive shows odd bytes for a while. The name of one that has
  // this digest, but for `except`; empty: there is none.
  virtual string find_aside(
      const stored_file& file, const string& sha256, const string& except, caller& who) = 0;

  virtual bool give_back(const stored_file& file, const string& aside, caller& who) = 0;

  virtual status remove() = 0;  // the receipt first, then the files, then all that is left of them

  virtual bool has_leftovers() = 0;  // what is unfinished, or was put aside

  virtual uint64_t bytes_under_way() = 0;  // that some call has brought of unfinished files

  enum class leftovers { useless, all };

  // Removes what a killed process left. Only what is nobody's goes: its owner is provably gone, or
  // cannot be told and a day has passed.
  virtual void sweep(caller& who, leftovers which) = 0;

  virtual status may_stand() const = 0;  // errc::directory_missing: what it lies in is not there

  virtual status may_write() const = 0;

  virtual status make_ready() = 0;  // for write()

  virtual status room_for(uint64_t bytes) const = 0;
};

// ---- a directory as a tier

// An unfinished file of a directory: its own, or one that a transfer or a copy has filled.
class directory_sink final : public byte_sink {
 public:
  explicit directory_sink(box<partial::partial_file> file)
      : own_(std::move(file)),
        file_(own_.get()) {}

  explicit directory_sink(partial::partial_file& file) : file_(&file) {}

  status write(std::string_view bytes) override { return file_->append(bytes); }

  status seal(const partial::demand& want, caller* who) override {
    if (!file_->is_whole()) {
      file_->end_here();
    }
    return file_->seal(want, who);
  }

  status publish() override { return file_->publish(); }

  bool is_open() const override { return file_->is_begun(); }

  const string& sha256() const override { return file_->sha256(); }

  uint64_t size() const override { return file_->size(); }

  partial::partial_file* as_file() override { return file_; }

 private:
  box<partial::partial_file> own_{};
  partial::partial_file* file_;
};

class directory_source final : public byte_source {
 public:
  directory_source(os::file file, fs::path path) : file_(std::move(file)), path_(std::move(path)) {}

  block read_at(uint64_t offset, size_t most) override {
    size_t got = 0;
    buffer_.resize(most);
    status problem = error::system(
        most == 0 ? 0 : os::read_at(file_, offset, buffer_.data(), most, got), "read", path_);
    return {std::move(problem), std::string_view(buffer_).substr(0, got)};
  }

 private:
  os::file file_;
  fs::path path_;
  string buffer_{};
};

// ---- names that differ in case only, where a file system takes them for one

inline bool ignores_case(const fs::path& folder, const string& name) {
  const string other = name == strings::lower(name) ? strings::upper(name) : strings::lower(name);
  std::error_code e;
  return other != name && fs::equivalent(folder / name, folder / other, e);
}

// What stands in a folder under another spelling of a name that is there. The folder itself: it
// cannot be told, since it ignores case and cannot be listed. Empty: there is no other.
inline fs::path spelling_in(const fs::path& folder, const string& wanted) {
  int problem = 0;
  const vector<string> all = os::list(folder, "", &problem);
  if (std::find(all.begin(), all.end(), wanted) != all.end()) return {};
  for (const string& name : all) {
    if (strings::lower(name) == strings::lower(wanted)) {
      return folder / name;
    }
  }
  return problem != 0 && ignores_case(folder, wanted) ? folder : fs::path();
}

class directory_tier final : public tier {
 public:
  struct where {
    fs::path at;         // of the files
    bool is_own_folder;  // nothing but this set is in it
    os::mode how;        // link: links are followed
    bool may_be_made;    // directories that are missing
  };

  directory_tier(where place, string set, vector<string> names, layout laid_out)
      : at_(std::move(place.at)),
        is_own_folder_(place.is_own_folder),
        how_(place.how),
        may_be_made_(place.may_be_made),
        set_(std::move(set)),
        names_(std::move(names)),
        layout_(laid_out),
        receipt_name_(set_ + ".sha256"),
        folder_(layout_ == layout::folder && !is_own_folder_ ? set_ + "/" : "") {}

  const fs::path& at() const { return at_; }

  fs::path root() const { return is_own_folder_ ? at_.parent_path() : at_; }

  string description() const override { return join({at_}); }

  string description_of(const string& name) const override { return join({path_of(name)}); }

  abilities can() const override { return {true, true, true, true, true}; }

  file_place place_of(const string& name) const override { return {path_of(name), how_}; }

  inventory inspect() override {
    inventory all;
    string content;  // empty: there is none
    int problem = os::read_text(at_ / receipt_name_, content, how_, formats::largest_receipt);
    if (problem == ENOENT || problem == ENOTDIR) {
      problem = 0;
    }
    all.receipt_problem = error::system(problem, "read", at_ / receipt_name_);
    receipt_ = formats::read_receipt(content);
    all.has_receipt = !receipt_.empty();
    for (const string& name : names_) {
      all.files.push_back(look_at(name));
    }
    if (!speaks_of_all()) {
      all.taken = is_taken();
    }
    return all;
  }

  status judge(const stored_file& file, sniff::kind kind) override {
    if (!file.is_regular() || file.has_receipt()) return {};
    return partial::judge(path_of(file.name), how_, kind);
  }

  opened read(const string& name) override {
    os::file in;
    uint64_t size = 0;
    const fs::path path = path_of(name);
    status problem = worker::open(path, how_, in, size);
    if (!problem.ok()) return {std::move(problem), nullptr};
    return {{}, box<directory_source>(new directory_source(std::move(in), path))};
  }

  begun write(const arriving& file) override {
    auto part = box<partial::partial_file>(new partial::partial_file());
    const partial::judged_by judge =
        file.has_digest ? partial::judged_by::digest : partial::judged_by::look;
    status problem = part->create(path_of(file.name), {file.kind, judge});
    return {std::move(problem), box<directory_sink>(new directory_sink(std::move(part)))};
  }

  status commit(const sinks& files, const formats::receipt& now) override {
    for (const formats::entry& one : now) {
      const formats::entry* old = formats::find(receipt_, recorded(one.file));
      if (old && old->sha256 != one.sha256) {
        VQCACHE_NEED_(remove_recorded(receipt_name_));
        break;
      }
    }
    for (byte_sink* file : files) {
      if (file->is_open()) {
        VQCACHE_NEED_(file->publish());
      }
    }
    VQCACHE_NEED_(sync_folders());
    return renew_receipt(now);
  }

  // Files of the set that this call was not asked for keep what the receipt says of them.
  status renew_receipt(const formats::receipt& files) override {
    formats::receipt now;
    for (const formats::entry& one : files) {
      now.push_back(one);
      now.back().file = recorded(one.file);
    }
    for (const formats::entry& old : receipt_) {
      const bool is_of_set = layout_ == layout::folder && strings::starts_with(old.file, folder_);
      if (is_of_set && !formats::find(now, old.file)) {
        now.push_back(old);
      }
    }

    const string content = formats::write_receipt(now, os::date());
    partial::partial_file file;
    VQCACHE_NEED_(
        file.create(at_ / receipt_name_, {sniff::kind::binary, partial::judged_by::digest}));
    VQCACHE_NEED_(file.append(content));
    file.end_here();
    VQCACHE_NEED_(file.seal({sniff::kind::binary, hash::of(content), "its writer", true}));
    VQCACHE_NEED_(file.publish());
    return sync();
  }

  put_aside set_aside(const stored_file& file, const string& why, const vector<string>& known,
      caller& who) override {
    const fs::path path = path_of(file.name);
    const string aside = aside_prefix(file.name) + os::unique().substr(8);
    status problem = error::system(os::rename(path, path_of(aside)), "put aside the damaged", path);
    if (!problem.ok()) return {std::move(problem), {}};
    who.warn({"The file ", path, " is damaged (", why, "); it was put aside as ", aside, "."});

    for (const string& name : asides_of(file.name)) {
      if (name != aside && is_none_of(known, path_of(name), who)) {
        (void)os::unlink(path_of(name));
      }
    }
    return {{}, aside};
  }

  string find_aside(
      const stored_file& file, const string& sha256, const string& except, caller& who) override {
    string its;
    for (const string& name : asides_of(file.name)) {
      const fs::path path = path_of(name);
      const uint64_t told = file.said.size;
      const bool may_be = name != except && (told == 0 || os::look(path, false).size == told);
      if (may_be && worker::digest(path, how_, who, its).ok() && its == sha256) {
        return name;
      }
    }
    return {};
  }

  bool give_back(const stored_file& file, const string& aside, caller& who) override {
    const fs::path path = path_of(file.name);
    if (os::look(path).exists || os::rename(path_of(aside), path) != 0) {
      return false;
    }
    who.say({"The file ", aside, " is right after all; it is ", path, " again."});
    return true;
  }

  status remove() override {
    VQCACHE_NEED_(remove_recorded(receipt_name_));  // first: none is to be without its model
    for (const string& name : names_) {
      VQCACHE_NEED_(remove_recorded(recorded(name)));
    }
    for (const string& name : leftovers_here()) {
      VQCACHE_NEED_(remove_recorded(name));
    }
    VQCACHE_NEED_(sync_folders());
    remove_empty_folders();
    return {};
  }

  // What is complete: the receipt first, so that none is without its files. What is unfinished, or
  // was put aside, stays.
  status withdraw(const vector<string>& files) const {
    VQCACHE_NEED_(remove_recorded(receipt_name_));
    VQCACHE_NEED_(sync());
    for (const string& name : files) {
      VQCACHE_NEED_(remove_recorded(recorded(name)));
    }
    VQCACHE_NEED_(sync_folders());
    remove_empty_folders();
    return {};
  }

  // The files of the set of which there is a part. None: it cannot be told.
  optional<vector<string>> unfinished() const {
    vector<string> files;
    int problem = 0;
    const vector<string> left = leftovers_here(&problem);
    if (problem != 0) return {};

    for (const string& name : left) {
      const size_t file_at = name.rfind('/') + 1;
      if (!strings::ends_with(name, record_end) || !strings::starts_with(name, folder_)) {
        continue;
      }
      files.push_back(name.substr(folder_.size(), file_at - folder_.size())
          + leftover_of(name.substr(file_at)));
    }
    return {std::move(files)};
  }

  bool has_leftovers() override { return !leftovers_here().empty(); }

  uint64_t bytes_under_way() override {
    uint64_t bytes = 0;
    for (const string& name : leftovers_here()) {
      if (strings::ends_with(name, part_end)) {
        const fs::path path = at_ / name;
        bytes += journal::find(path.parent_path() / path.stem()).bytes;
      }
    }
    return bytes;
  }

  void sweep(caller& who, leftovers which) override {
    for (const string& name : leftovers_here()) {
      const bool is_part = strings::ends_with(name, part_end);
      if (!is_part && !strings::ends_with(name, record_end)) continue;

      const fs::path path = at_ / name;
      const fs::path base = path.parent_path() / path.stem();
      const journal::unfinished unfinished = journal::find(base);
      if (!is_nobodys(unfinished, path, which)) continue;
      fs::path part = base;
      part += part_end;
      if (!is_part && os::look(part, false).exists) continue;  // a record goes with its partial
      if (os::unlink(path) != 0 || !is_part) continue;

      (void)os::unlink(fs::path(base) += record_end);
      if (unfinished.bytes == 0) continue;
      who.warn({"Removed a partial of ", leftover_of(os::shown(path.filename())), " (",
          unfinished.bytes, " bytes) that an earlier call left in ", path.parent_path(), "."});
    }
  }

  status may_stand() const override {
    if (may_be_made_ || os::look(root()).directory) return {};
    if (const string why = os::link_problem(root()); !why.empty()) {
      return fail(errc::directory_missing, {"Directory not found: ", root(), ": ", why});
    }
    return fail(errc::directory_missing,
        {"Directory not found: ", root(), "; create it, or set options::create_dirs"});
  }

  status may_write() const override {
    VQCACHE_NEED_(may_stand());
    if (!os::read_only(at_)) return {};
    return fail(errc::permission_denied, {at_, " cannot be written"});
  }

  status make_ready() override {
    VQCACHE_NEED_(os::ready_directory(at_));
    for (const string& folder : folders_of_names()) {
      const fs::path at = at_ / folder;
      VQCACHE_NEED_(os::ready_directory(at));
    }
    return {};
  }

  status room_for(uint64_t bytes) const override { return partial::has_room(at_, bytes, 0); }

 private:
  static constexpr const char* part_end = ".part";
  static constexpr const char* record_end = ".record";
  static constexpr size_t unique_digits = 16, aside_digits = 8;

  // Names are of three kinds: that of the set's file, "config.json"; the same in a receipt, from
  // at_ on, "net/config.json"; and the whole path.
  string recorded(const string& name) const { return folder_ + name; }

  fs::path path_of(const string& name) const { return at_ / recorded(name); }

  stored_file look_at(const string& name) const {
    using presence = stored_file::presence;
    const os::info found = os::look(path_of(name), os::follows_links(how_));
    stored_file file;
    file.name = name;
    file.size = found.size;
    file.problem = found.problem;
    if (found.regular) {
      file.is = presence::regular;
    } else if (found.problem != 0) {
      file.is = presence::unknown;
    } else if (found.exists) {
      file.is = presence::something_else;
    }
    if (const formats::entry* said = formats::find(receipt_, recorded(name))) {
      file.said = *said;
      file.said.file = name;
    }
    return file;
  }

  // Then no listing has to tell whose the files are.
  bool speaks_of_all() const {
    for (const string& name : names_) {
      if (!formats::find(receipt_, recorded(name))) return false;
    }
    return true;
  }

  // What another set owns is left alone.
  status is_taken() const {
    VQCACHE_NEED_(clash_with_held());
    return other_case();
  }

  // A model of this name whose files lie otherwise, and one whose files are called like ours.
  status clash_with_held() const {
    if (is_of_other_layout()) {
      return fail(errc::name_taken,
          {at_ / receipt_name_, " is the receipt of another model '", set_,
              "', which has other files; use another name, or remove that model"});
    }
    if (is_own_folder_) return {};

    const owned_paths ours = paths_of(set_, names_, layout_);
    for (const string& other : sets_that_may_own(ours)) {
      string content;  // what cannot be read is seen when it is in the way
      (void)os::read_text(at_ / (other + ".sha256"), content, how_, formats::largest_receipt);
      const held_set there = held_in(other, formats::read_receipt(content));
      VQCACHE_NEED_(clash(ours, paths_of(other, there.files, there.how)));
    }
    return {};
  }

  // What a receipt names and is not there tells nothing: a person may have renamed it.
  bool is_of_other_layout() const {
    vector<string> files;
    bool is_any_ours = false;
    for (const formats::entry& one : receipt_) {
      const bool is_name = std::find(names_.begin(), names_.end(), one.file) != names_.end();
      const bool is_inside = strings::starts_with(one.file, folder_);
      is_any_ours = is_any_ours || (layout_ == layout::flat ? is_name : is_inside);
      if (os::look(at_ / one.file).exists) {
        files.push_back(one.file);
      }
    }
    const bool is_flat_there = layout_ == layout::folder && layout_of(set_, files) == layout::flat;
    return !files.empty() && (!is_any_ours || (is_own_folder_ && is_flat_there));
  }

  // A model whose name differs in case only is another one.
  status other_case() const {
    const fs::path other = other_spelling();
    if (other.empty()) return {};
    if (other == at_ || other == at_.parent_path()) {
      return fail(errc::name_taken,
          {"it cannot be told which model stands there: ", other,
              " takes names that differ in case for one, and cannot be listed; check its ",
              "permissions"});
    }
    return fail(errc::name_taken,
        {"another model stands there: this file system takes ", set_, " and ", other,
            " for one name; use another name, or remove that model (vqcache::remove)"});
  }

  // What stands here under another spelling of our names, where the file system takes the two for
  // one (macOS, Windows, some mounts): the listing shows the name that was given.
  // A folder: it cannot be told, since it ignores case and cannot be listed. Else empty.
  fs::path other_spelling() const {
    fs::path found;
    if (is_own_folder_ && os::look(at_).exists) {
      found = spelling_in(at_.parent_path(), os::shown(at_.filename()));
    }
    if (found.empty() && !folder_.empty() && os::look(at_ / set_, false).exists) {
      found = spelling_in(at_, set_);
    }
    if (found.empty() && os::look(at_ / receipt_name_, false).exists) {
      found = spelling_in(at_, receipt_name_);
    }
    if (layout_ == layout::folder) return found;  // all else there is of this set
    for (const string& name : names_) {
      if (found.empty() && os::look(at_ / name, false).exists) {
        found = spelling_in(at_, name);
      }
    }
    return found;
  }

  // What is unfinished or was put aside, as a receipt would name it.
  vector<string> leftovers_here(int* problem = nullptr) const {
    vector<string> all;
    for (const string& folder : folders()) {
      int failed = 0;
      const vector<string> names = os::list(at_ / folder, "", &failed);
      if (problem && failed != 0 && failed != ENOENT) {
        *problem = failed;
      }
      for (const string& name : names) {
        const string file = leftover_of(name);
        if (!file.empty() && is_ours(folder, file)) {
          all.push_back(folder + name);
        }
      }
    }
    return all;
  }

  // In a folder that is the set's own, all is: also what an earlier call has left of other files.
  bool is_ours(const string& folder, const string& file) const {
    const bool is_of_set = !folder_.empty() && strings::starts_with(folder, folder_);
    if (is_of_set || (is_own_folder_ && layout_ == layout::folder)) {
      return true;
    }
    if (file == receipt_name_) return true;
    return std::find(names_.begin(), names_.end(), file) != names_.end();
  }

  // The folders that the set's files lie in, from at_ on, each with a slash at its end; at_ first.
  vector<string> folders_of_names() const {
    vector<string> all{string()};
    for (const string& name : names_) {
      const string file = recorded(name);
      const string folder = file.substr(0, file.rfind('/') + 1);
      if (all.back() != folder && std::find(all.begin(), all.end(), folder) == all.end()) {
        all.push_back(folder);
      }
    }
    return all;
  }

  // The same, and those that are there though no name tells of them.
  vector<string> folders() const {
    vector<string> all = folders_of_names();
    if (layout_ == layout::flat) return all;
    if (std::find(all.begin(), all.end(), folder_) == all.end()) {
      all.push_back(folder_);
    }
    for (size_t i = 0; i < all.size(); ++i) {
      const string folder = all[i];
      if (!strings::starts_with(folder, folder_)) continue;
      for (const string& name : os::list(at_ / folder, "")) {
        const string inner = join({folder, name, "/"});
        const bool is_folder = os::look(at_ / inner, false).directory;
        if (is_folder && std::find(all.begin(), all.end(), inner) == all.end()) {
          all.push_back(inner);
        }
      }
    }
    return all;
  }

  void remove_empty_folders() const {  // the innermost first; what is not empty stays
    vector<string> all = folders();
    std::sort(all.begin(), all.end());
    for (size_t i = all.size(); i > 0; --i) {
      const string& folder = all[i - 1];
      if (!folder.empty()) {
        (void)os::unlink(at_ / folder.substr(0, folder.size() - 1));
      }
    }
    if (is_own_folder_) {
      (void)os::unlink(at_);
    }
  }

  static bool is_nobodys(
      const journal::unfinished& unfinished, const fs::path& path, leftovers which) {
    if (unfinished.problem != 0) return false;  // whose it is cannot be told at this moment
    const os::fate fate = unfinished.fate;
    if (fate == os::fate::unknown && os::older_than_a_day(path)) {
      return true;
    }
    if (unfinished.record.released) return which == leftovers::all;
    const bool is_gone = fate == os::fate::gone || fate == os::fate::restarted;
    return is_gone && (which == leftovers::all || !unfinished.record.id.usable());
  }

  static string aside_prefix(const string& name) { return name + ".corrupt-"; }

  vector<string> asides_of(const string& name) const {  // as files of the set
    const size_t file_at = name.rfind('/') + 1;
    const string folder = name.substr(0, file_at);
    vector<string> all =
        journal::numbered(path_of(folder), aside_prefix(name.substr(file_at)), aside_digits, {""});
    for (string& one : all) {
      one.insert(0, folder);
    }
    return all;
  }

  bool is_none_of(const vector<string>& known, const fs::path& path, caller& who) const {
    string sha256;  // what cannot be read stays
    if (known.empty()) return true;
    return worker::digest(path, how_, who, sha256).ok()
        && std::find(known.begin(), known.end(), sha256) == known.end();
  }

  status sync() const { return error::system(os::sync_directory(at_), "sync", at_); }

  status sync_folders() const {
    for (const string& folder : folders_of_names()) {
      const fs::path at = at_ / folder;
      if (!os::look(at).directory) continue;
      VQCACHE_NEED_(error::system(os::sync_directory(at), "sync", at));
    }
    return {};
  }

  status remove_recorded(const string& name) const {
    return error::system(os::unlink(at_ / name), "remove", at_ / name);
  }

  fs::path at_;
  bool is_own_folder_;
  os::mode how_;
  bool may_be_made_;
  string set_;
  vector<string> names_;
  layout layout_;
  string receipt_name_;
  string folder_;  // of the set's files below at_, with a slash; empty: they lie in at_
  formats::receipt receipt_{};  // as inspect() has read it
};

// ---- a directory that is somebody else's: it is read, and nothing in it is ever changed

class lent_tier final : public tier {
 public:
  explicit lent_tier(box<directory_tier> of) : of_(std::move(of)) {}

  string description() const override { return of_->description(); }

  string description_of(const string& name) const override { return of_->description_of(name); }

  abilities can() const override {
    abilities its = of_->can();
    its.is_writable = false;
    its.keeps_damaged = false;
    its.continues_uploads = false;
    its.takes_copies = false;
    return its;
  }

  file_place place_of(const string& name) const override { return of_->place_of(name); }

  // What cannot be told apart, or read, is as if it were not there.
  inventory inspect() override {
    inventory all = of_->inspect();
    if (all.taken.ok() && all.receipt_problem.ok()) return all;

    inventory none;
    for (const stored_file& file : all.files) {
      none.files.push_back(stored_file());
      none.files.back().name = file.name;
    }
    return none;
  }

  status judge(const stored_file& file, sniff::kind kind) override {
    return of_->judge(file, kind);
  }

  opened read(const string& name) override { return of_->read(name); }

  begun write(const arriving&) override { return {is_lent(), nullptr}; }

  status commit(const sinks&, const formats::receipt&) override { return is_lent(); }

  status renew_receipt(const formats::receipt&) override { return is_lent(); }

  put_aside set_aside(const stored_file&, const string&, const vector<string>&, caller&) override {
    return {is_lent(), {}};
  }

  string find_aside(const stored_file&, const string&, const string&, caller&) override {
    return {};
  }

  bool give_back(const stored_file&, const string&, caller&) override { return false; }

  status remove() override { return {}; }

  bool has_leftovers() override { return false; }

  uint64_t bytes_under_way() override { return 0; }

  void sweep(caller&, leftovers) override {}

  status may_stand() const override { return {}; }

  status may_write() const override { return is_lent(); }

  status make_ready() override { return is_lent(); }

  status room_for(uint64_t) const override { return is_lent(); }

 private:
  status is_lent() const {
    return fail(errc::permission_denied, {of_->description(), " is only read"});
  }

  box<directory_tier> of_;
};

// ---- from one tier to another

struct copied {
  status problem{};
  bool is_of_source = false;  // it is the reading that failed
  bool is_clone = false;      // the two share their blocks
};

inline digest_of_file digest_of(tier& in, const stored_file& file, caller& who) {
  digest_of_file result;
  if (in.can().has_paths) {
    const file_place place = in.place_of(file.name);
    result.problem = worker::digest(place.path, place.how, who, result.sha256);
    return result;
  }

  opened file_in = in.read(file.name);
  result.problem = std::move(file_in.problem);
  if (!result.problem.ok()) return result;

  hash::sha256 sha;
  sha.start();
  uint64_t done = 0;
  for (bool is_at_end = false; !is_at_end;) {
    const block next = file_in.source->read_at(done, worker::block_size);
    result.problem = next.problem;
    if (!who.step(phase::verifying, file.name, done, file.size)) {
      result.problem = who.stop();
    }
    if (!result.problem.ok()) return result;
    sha.update(next.bytes.data(), next.bytes.size());
    done += next.bytes.size();
    is_at_end = next.bytes.empty();
  }
  result.sha256 = sha.hex();
  if (result.sha256.empty()) {
    result.problem = fail(errc::io, {"the system's SHA-256 failed"});
  }
  return result;
}

// Byte by byte through this thread, where one of the two has no paths.
inline copied pass_on(tier& from, const stored_file& file, byte_sink& to, caller& who, phase what) {
  opened in = from.read(file.name);
  if (!in.problem.ok()) return {std::move(in.problem), true};

  worker::pace speed{who.opts().stall_seconds};
  uint64_t done = 0;
  for (bool is_at_end = false; !is_at_end;) {
    const block next = in.source->read_at(done, worker::block_size);
    if (!next.problem.ok()) return {next.problem, true};
    status written = to.write(next.bytes);
    if (!written.ok()) return {std::move(written), false};
    done += next.bytes.size();
    is_at_end = next.bytes.empty();
    if (!who.step(what, file.name, done, file.size)) return {who.stop(), false};
    if (speed.stalled(done)) {
      return {fail(errc::timed_out,
                  {"copying ", file.name, " gained under 64 KiB in ", speed.limit, " s"}),
          false};
    }
  }
  return {};
}

// A whole file into an open sink, sealed: held to what it has to be, and safe on the disk.
inline copied copy_and_seal(tier& from, const stored_file& file, byte_sink& to, caller& who,
    phase what, const partial::demand& want) {
  copied result;
  if (partial::partial_file* part = to.as_file(); part && from.can().has_paths) {
    const file_place place = from.place_of(file.name);
    const partial::copy_result done =
        partial::copy_and_seal(place.path, place.how, *part, who, what, want);
    return {done.how, done.is_of_source, done.is_clone};
  }
  result = pass_on(from, file, to, who, what);
  if (result.problem.ok()) {
    result.problem = to.seal(want, &who);
  }
  return result;
}
}  // namespace tier

// ==== >>plan ==== what a call does with each file, as a pure function ====
// Belongs here: every decision that follows from the request, from what the tiers hold, and from
// what this call has read of that. Nothing here asks a disk, a server or a clock: a table tests it,
// tests/unit/plan.cpp. What is done about it, and said, is >>call's.
namespace plan {
struct wanted_file {  // of any number
  string name{};
  sniff::kind kind = sniff::kind::binary;
  source from{};  // from.sha256: what a download is held to
  string pin{};   // the caller's: what stands in a tier is held to it too
};

// What this call has found out by reading, which names, sizes and receipts do not tell.
struct copy_facts {           // of a file in one lasting tier
  optional<string> digest{};  // it was read to its end; empty: it cannot be read
  bool is_unusable = false;   // it was to be restored, and could not be
};

struct file_facts {
  bool is_right = false;         // the local file was hashed: it is what it has to be
  string digest{};               // of the local file, where it has no receipt, for one
  string wrong{};                // why the local file, which stands, is not used
  bool is_put_together = false;  // of what damaged files held: it waits for the others of the set
  list<copy_facts> copies{};     // in the order of the lasting tiers
};

struct lasting_tier {
  tier::abilities can{};
  tier::inventory has{};
};

struct situation {
  list<wanted_file> wanted{};
  list<file_facts> facts{};  // as many
  tier::inventory local{};
  list<lasting_tier> lasting{};  // in the order in which they are asked
  bool is_offline = false;
};

enum class authority { nobody, pin, local_receipt, lasting_receipt };

struct expectation {  // what bytes have to be
  string sha256{};    // empty: nobody knows
  authority by = authority::nobody;
  bool is_verified = false;   // it may be believed of a download, too
  optional<uint64_t> size{};  // once it is known
};

enum class local_step { keep, verify, restore, download };
enum class copy_step { keep, verify, store, repair, leave_alone };

// Why nothing can be done, for the one who writes the message.
enum class obstacle {
  none,
  name_taken,          // by a name that differs in case only
  receipt_unreadable,  // so nothing is known of the files
  file_unknown,        // it cannot be told what stands there
  not_a_file,
  not_judged,  // its head and tail cannot be read
  another_model,
  not_writable,
  offline,
  no_source,  // no URL is known
};

inline constexpr size_t in_local = npos;  // a place; else the number of a lasting tier

struct hindrance {
  obstacle is = obstacle::none;
  size_t place = in_local;
  size_t file = 0;

  explicit operator bool() const { return is != obstacle::none; }
};

struct restorable {  // a copy that may serve
  size_t place = 0;
  status fault{};              // what already tells that it cannot be used
  bool is_unreadable = false;  // that is the tier's fault, and no damage
};

struct file_plan {
  local_step local = local_step::keep;
  const char* reason = "";
  expectation expected{};      // of verify, restore and download
  list<restorable> sources{};  // of restore and download, in order
  list<size_t> suspects{};     // places whose file, if it fits its receipt, is another model's
  list<size_t> missing{};      // places where what was put aside may be right after all
  string local_wrong{};        // why the local file is not used: it makes way for the new one
  bool is_unvouched = false;   // it is kept, and nothing vouches for it
};

struct copy_plan {
  copy_step step = copy_step::keep;
  const char* reason = "";
  bool is_doubted = false;  // either of the two may be the whole one: it is looked at in any case
};

struct tier_plan {  // of one lasting tier
  hindrance in_way{};
  list<copy_plan> files{};
  bool is_complete = false;  // else its receipt is to be written, even where all files stay
};

struct call_plan {
  list<file_plan> files{};
  list<tier_plan> copies{};
  hindrance refused{};      // at once
  hindrance blocked{};      // once suspects and missing were seen to
  hindrance unreachable{};  // what no tier has may not be, or cannot be, downloaded

  // Loops, here and below: each algorithm with a lambda is a dozen functions more to compile, for
  // whoever includes this.
  bool has_any(local_step step) const {
    for (const file_plan& one : files) {
      if (one.local == step) return true;
    }
    return false;
  }

  bool keeps_all() const {
    for (const file_plan& one : files) {
      if (one.local != local_step::keep) return false;
    }
    return true;
  }

  bool verifies_any() const { return has_any(local_step::verify); }

  bool downloads_any() const { return has_any(local_step::download); }
};

// ---- of one file

inline const tier::stored_file& local_of(const situation& now, size_t file) {
  return now.local.files[file];
}

inline const tier::stored_file& copy_of(const situation& now, size_t file, size_t place) {
  return place == in_local ? local_of(now, file) : now.lasting[place].has.files[file];
}

inline bool is_pinned(const situation& now, size_t file) {
  return !now.wanted[file].pin.empty();
}

// The first lasting tier whose receipt speaks of it, or null.
inline const tier::stored_file* first_with_receipt(const situation& now, size_t file) {
  for (const lasting_tier& one : now.lasting) {
    if (one.has.files[file].has_receipt()) {
      return &one.has.files[file];
    }
  }
  return nullptr;
}

// A local file without a receipt of its own that has the size of a copy with one is held to that.
inline bool is_lent_a_receipt(const situation& now, size_t file) {
  const tier::stored_file& local = local_of(now, file);
  if (local.has_receipt()) return false;
  for (const lasting_tier& one : now.lasting) {
    const tier::stored_file& copy = one.has.files[file];
    if (copy.is_vouched_for() && copy.said.size != 0 && copy.said.size == local.size) {
      return true;
    }
  }
  return false;
}

// What nothing else tells about is judged by its look, as a download is.
inline bool has_to_be_judged(const situation& now, size_t file, size_t place) {
  if (is_pinned(now, file)) return false;
  const tier::stored_file& one = copy_of(now, file, place);
  if (!one.is_regular() || one.has_receipt() || local_of(now, file).has_receipt()) {
    return false;
  }
  return place != in_local || (!now.facts[file].is_right && !is_lent_a_receipt(now, file));
}

inline bool is_good(const situation& now, size_t file) {
  const tier::stored_file& local = local_of(now, file);
  const file_facts& known = now.facts[file];
  if (!local.fits_receipt() || !now.local.receipt_problem.ok()) {
    return false;
  }
  if (!known.wrong.empty()) return false;
  if (known.is_right) return true;

  const string& pin = now.wanted[file].pin;
  const bool fits_pin = pin.empty() || local.is_said_to_be(pin);
  return fits_pin && local.look.ok() && !is_lent_a_receipt(now, file);
}

inline bool has_no_local_file(const situation& now) {
  const auto is_there = [](const tier::stored_file& one) {
    return one.is_regular();
  };
  return std::none_of(now.local.files.begin(), now.local.files.end(), is_there);
}

// What the bytes have to be: the pin's, else what the receipt here says, else that of a copy.
// place: the copy that is to be restored, whose own receipt counts before another tier's.
inline expectation expected_of(const situation& now, size_t file, size_t place = in_local) {
  const string& pin = now.wanted[file].pin;
  if (!pin.empty()) return {pin, authority::pin, true, {}};

  const tier::stored_file& local = local_of(now, file);
  const tier::stored_file* copy = first_with_receipt(now, file);
  if (place != in_local && copy_of(now, file, place).has_receipt()) {
    copy = &copy_of(now, file, place);
  }

  // a receipt that is all that is left of the local files yields to that of the copies
  const bool is_local = local.has_receipt() && !(copy && has_no_local_file(now));
  if (!is_local && !copy) return {};

  const formats::entry& said = is_local ? local.said : copy->said;
  const authority by = is_local ? authority::local_receipt : authority::lasting_receipt;
  expectation want{said.sha256, by, !said.unverified, {}};
  if (said.size != 0) {
    want.size = said.size;
  }
  return want;
}

inline expectation expected_of_download(const situation& now, size_t file) {
  const source& from = now.wanted[file].from;
  expectation want = expected_of(now, file);
  if (!want.is_verified) want = {from.sha256, authority::nobody, false, {}};
  want.size.reset();
  if (from.size != 0) {
    want.size = from.size;
  }
  return want;
}

inline restorable restorable_of(const situation& now, size_t file, size_t place) {
  const lasting_tier& in = now.lasting[place];
  const tier::stored_file& copy = in.has.files[file];
  if (copy.is_regular() && !copy.fits_receipt()) {
    return {place,
        fail(errc::truncated, {"it has ", copy.size, " bytes, its receipt says ", copy.said.size}),
        false};
  }
  if (!is_pinned(now, file) && !in.has.receipt_problem.ok()) {
    return {place, in.has.receipt_problem, true};
  }
  if (copy.is_no_such_file()) return {place, copy.look, false};
  return {place, {}, false};
}

// The digest that a file which is missing at a place has to have there; empty: nobody knows.
inline const string& digest_in(const situation& now, size_t file, size_t place) {
  const string& pin = now.wanted[file].pin;
  const tier::stored_file& one = copy_of(now, file, place);
  return pin.empty() && one.has_receipt() ? one.said.sha256 : pin;
}

inline string why_not_used(const situation& now, size_t file) {
  const tier::stored_file& local = local_of(now, file);
  if (!now.facts[file].wrong.empty()) {
    return now.facts[file].wrong;
  }
  if (!local.look.ok()) return local.look.text;
  return join({"it has ", local.size, " bytes, its receipt says ", local.said.size});
}

inline void add_places(const situation& now, size_t file, file_plan& to) {
  const string& pin = now.wanted[file].pin;
  for (size_t n = 0; n <= now.lasting.size(); ++n) {
    const size_t place = n == 0 ? in_local : n - 1;
    const tier::stored_file& one = copy_of(now, file, place);
    if (!pin.empty() && one.is_vouched_for() && !one.is_said_to_be(pin) && one.fits_receipt()) {
      to.suspects.push_back(place);
    }
    if (one.is_absent() && !digest_in(now, file, place).empty()) {
      to.missing.push_back(place);
    }
  }
}

inline file_plan plan_to_keep(const situation& now, size_t file) {
  const tier::stored_file& local = local_of(now, file);
  const bool is_proven = now.facts[file].is_right || local.is_vouched_for();
  file_plan to;
  to.is_unvouched = !is_proven && !local.is_said_to_be(now.wanted[file].pin);
  to.reason = to.is_unvouched ? "it stands, and nothing speaks against it" : "it stands";
  return to;
}

// From the lasting tiers, in their order, or else from the web.
inline void plan_to_bring(const situation& now, size_t file, file_plan& to) {
  bool is_held = false;
  for (size_t place = 0; place < now.lasting.size(); ++place) {
    const tier::stored_file& copy = now.lasting[place].has.files[file];
    if (!copy.stands() || now.facts[file].copies[place].is_unusable) {
      continue;
    }
    to.sources.push_back(restorable_of(now, file, place));
    is_held = is_held || copy.is_regular();
  }
  to.local = is_held ? local_step::restore : local_step::download;
  to.reason = is_held ? "a lasting tier holds it" : "no tier holds it";
  if (!is_held) {
    to.expected = expected_of_download(now, file);
  }
}

inline file_plan plan_file(const situation& now, size_t file) {
  if (is_good(now, file)) return plan_to_keep(now, file);

  file_plan to;
  add_places(now, file, to);
  to.expected = expected_of(now, file);
  const bool stands = local_of(now, file).is_regular();
  if (stands && now.facts[file].wrong.empty() && !to.expected.sha256.empty()) {
    to.local = local_step::verify;
    to.reason = "it stands, and its digest is to tell whether it is right";
    return to;
  }
  if (stands) {
    to.local_wrong = why_not_used(now, file);
  }
  plan_to_bring(now, file, to);
  return to;
}

// ---- of one copy

// As far as names, sizes, receipts, and what was read, tell: it is what the local file is.
inline bool is_stored(const situation& now, size_t file, size_t place) {
  const tier::inventory& in = now.lasting[place].has;
  const tier::stored_file &local = local_of(now, file), &copy = in.files[file];
  const optional<string>& read = now.facts[file].copies[place].digest;
  if (!copy.is_regular() || copy.size != local.size || !in.receipt_problem.ok()) {
    return false;
  }
  if (copy.is_no_such_file()) return false;
  if (!local.has_receipt()) return copy.fits_receipt();
  return copy.is_said_to_be(local.said.sha256) && (!read || local.is_said_to_be(*read));
}

// Its receipt fits it, and it is not what the local file is.
inline bool is_of_another_model(const situation& now, size_t file, size_t place) {
  const tier::stored_file &local = local_of(now, file), &copy = copy_of(now, file, place);
  if (!copy.is_vouched_for() || !copy.fits_receipt()) {
    return false;
  }
  if (local.has_receipt()) {
    return !copy.is_said_to_be(local.said.sha256);
  }
  return copy.said.size != 0 && copy.size != local.size;
}

inline copy_plan plan_copy_that_was_read(const string& read, const string& ours, bool is_doubted) {
  if (read == ours) return {copy_step::keep, "it was read, and is the same", false};
  if (read.empty()) return {copy_step::repair, "it cannot be read", is_doubted};
  return {copy_step::repair, "it was read, and is another", is_doubted};
}

// The receipt that is to be written speaks of this copy too: what is not known is hashed.
inline copy_plan plan_copy(const situation& now, size_t file, size_t place) {
  const tier::stored_file &local = local_of(now, file), &copy = copy_of(now, file, place);
  const file_facts& known = now.facts[file];
  const string& ours = local.has_receipt() ? local.said.sha256 : known.digest;
  const bool is_doubted = copy.is_regular() && !copy.has_receipt() && !local.has_receipt();

  if (!copy.stands()) return {copy_step::store, "it is missing there", false};
  if (!copy.is_regular()) return {copy_step::repair, "what stands there is no file", false};
  if (copy.size != local.size) return {copy_step::repair, "its size differs", is_doubted};
  if (ours.empty()) return {copy_step::verify, "nobody knows the digest of either", is_doubted};

  const optional<string>& read = known.copies[place].digest;
  if (read) {
    return plan_copy_that_was_read(*read, ours, is_doubted);
  }
  if (copy.is_said_to_be(ours)) return {copy_step::keep, "its receipt says so", false};
  return {copy_step::verify, "its size fits, and its digest is not known", is_doubted};
}

// While the local file is still to come: the copy that it comes from stays, and what fits it.
inline copy_plan plan_copy_of_missing(
    const situation& now, const file_plan& plan, size_t file, size_t place) {
  const tier::stored_file& copy = copy_of(now, file, place);
  if (!copy.stands()) return {copy_step::store, "it is missing there", false};
  if (plan.local == local_step::verify) {
    return {copy_step::keep, "the local file is to be verified first", false};
  }

  const restorable* source = nullptr;  // the first that can serve
  for (const restorable& one : plan.sources) {
    if (!source && one.fault.ok()) {
      source = &one;
    }
  }
  if (plan.local == local_step::restore && source && source->place == place) {
    return {copy_step::keep, "the local file comes from there", false};
  }

  const string& want = plan.expected.sha256;
  if (!want.empty() && copy.fits_receipt() && copy.is_said_to_be(want)) {
    return {copy_step::keep, "its receipt says that it is what comes", false};
  }
  return {copy_step::repair, "it is not known to be what comes", false};
}

inline hindrance hindrance_of(const situation& now, size_t place, bool is_complete) {
  const lasting_tier& in = now.lasting[place];
  if (!in.has.taken.ok()) return {obstacle::name_taken, place, 0};
  if (is_complete) return {};
  if (!in.can.is_writable) return {obstacle::not_writable, place, 0};
  if (!in.has.receipt_problem.ok()) return {obstacle::receipt_unreadable, place, 0};

  for (size_t file = 0; file < now.wanted.size(); ++file) {
    if (is_good(now, file) && is_of_another_model(now, file, place)) {
      return {obstacle::another_model, place, file};
    }
  }
  return {};
}

inline tier_plan plan_tier(const situation& now, const list<file_plan>& files, size_t place) {
  bool is_stored_whole = true;
  for (size_t file = 0; file < files.size(); ++file) {
    is_stored_whole =
        is_stored_whole && files[file].local == local_step::keep && is_stored(now, file, place);
  }

  tier_plan to;
  if (!now.lasting[place].can.takes_copies) {
    to.is_complete = true;
    to.files.resize(files.size());
    for (copy_plan& one : to.files) {
      one = {copy_step::leave_alone, "this tier is only read", false};
    }
    return to;
  }
  to.in_way = hindrance_of(now, place, is_stored_whole);
  to.is_complete = is_stored_whole && !to.in_way;
  for (size_t file = 0; file < files.size(); ++file) {
    copy_plan one{copy_step::keep, "it is the same", false};
    if (to.in_way) {
      one = {copy_step::leave_alone, "this tier is not to be written", false};
    } else if (files[file].local != local_step::keep) {
      one = plan_copy_of_missing(now, files[file], file, place);
    } else if (!is_stored_whole) {
      one = plan_copy(now, file, place);
    }
    to.files.push_back(one);
  }
  return to;
}

// ---- of all of them

inline hindrance refusal_of(const situation& now, const call_plan& plan) {
  if (!now.local.taken.ok()) return {obstacle::name_taken, in_local, 0};
  if (plan.keeps_all()) return {};
  for (size_t place = 0; place < now.lasting.size(); ++place) {
    if (!now.lasting[place].has.taken.ok()) return {obstacle::name_taken, place, 0};
  }
  return {};
}

inline hindrance blockade_of(const situation& now, const call_plan& plan) {
  if (plan.keeps_all()) return {};
  if (!now.local.receipt_problem.ok()) return {obstacle::receipt_unreadable, in_local, 0};

  for (size_t file = 0; file < plan.files.size(); ++file) {
    const tier::stored_file& local = local_of(now, file);
    if (local.is == tier::stored_file::presence::unknown) {
      return {obstacle::file_unknown, in_local, file};
    }
    if (local.stands() && !local.is_regular()) return {obstacle::not_a_file, in_local, file};
    const bool is_read_in_vain = !local.look.ok() && !local.is_no_such_file();
    const bool is_left = !plan.files[file].local_wrong.empty() && now.facts[file].wrong.empty();
    if (is_left && is_read_in_vain) return {obstacle::not_judged, in_local, file};
  }
  return {};
}

inline hindrance reach_of(const situation& now, const call_plan& plan) {
  hindrance worst;
  for (size_t file = 0; file < plan.files.size(); ++file) {
    const bool is_to_come = plan.files[file].local == local_step::download;
    if (!is_to_come || now.facts[file].is_put_together) continue;
    const vector<string>& urls = now.wanted[file].from.urls;
    if (urls.empty()) return {obstacle::no_source, in_local, file};
    for (const string& url : urls) {
      if (!worst && now.is_offline && urls::local_path(url).empty()) {
        worst = {obstacle::offline, in_local, file};
      }
    }
  }
  return worst;
}

// ---- of a local file that is to make room

inline string copy_that_is_wanting(const situation& now, size_t file, size_t place) {
  const tier::inventory& in = now.lasting[place].has;
  const tier::stored_file &local = local_of(now, file), &copy = copy_of(now, file, place);
  const optional<string>& read = now.facts[file].copies[place].digest;
  if (!in.receipt_problem.ok()) return in.receipt_problem.text;
  if (!copy.is_regular()) return "there is no copy of " + local.name;
  if (!copy.fits_receipt()) {
    return join({"the copy of ", local.name, " has ", copy.size, " bytes, its receipt says ",
        copy.said.size});
  }
  if (!copy.has_receipt()) {
    return local.has_receipt() ? "no receipt speaks of the copy of " + local.name : string();
  }
  if (!read || copy.is_said_to_be(*read)) return {};
  return join({"the copy of ", local.name, " is damaged: its SHA-256 is ", *read, ", not ",
      copy.said.sha256, " as its receipt says"});
}

// Why it has to stay, as far as names, sizes and receipts tell, and what was read; empty: it may go
// once its copy was read. Where a tier has no receipt of it, the local file has to be read too.
inline string reason_to_stay(const situation& now, size_t file, size_t place) {
  const tier::stored_file &local = local_of(now, file), &copy = copy_of(now, file, place);
  if (local.is_absent()) {
    const bool is_told_here_alone = local.has_receipt() && !copy.has_receipt();
    return is_told_here_alone ? "the local receipt alone tells of " + local.name : string();
  }
  if (local.is == tier::stored_file::presence::unknown) {
    return "it cannot be told what stands under the name of " + local.name;
  }
  if (!local.is_regular()) return local.name + " is not a regular file";
  string why = copy_that_is_wanting(now, file, place);
  if (!why.empty()) return why;

  const bool is_another =
      local.has_receipt() && copy.has_receipt() && !copy.is_said_to_be(local.said.sha256);
  if (is_another) {
    return join({"the cache holds another ", local.name, " than the local receipt tells"});
  }
  const file_facts& known = now.facts[file];
  const optional<string>& read = known.copies[place].digest;
  const bool is_read = !known.digest.empty() && read;
  const bool differs = local.size != copy.size || (is_read && known.digest != *read);
  if (!local.has_receipt() && differs) {
    return local.name + " differs from its copy";
  }
  return {};
}

// Steps that read or write follow in this order: refused, missing, suspects, blocked, verify; then
// unreachable, restore, download; then the copies. After each that changes what the tiers hold, or
// what is known of it, the plan is made anew.
inline call_plan plan(const situation& now) {
  call_plan to;
  for (size_t file = 0; file < now.wanted.size(); ++file) {
    to.files.push_back(plan_file(now, file));
  }
  for (size_t place = 0; place < now.lasting.size(); ++place) {
    to.copies.push_back(plan_tier(now, to.files, place));
  }
  to.refused = refusal_of(now, to);
  to.blocked = blockade_of(now, to);
  to.unreachable = reach_of(now, to);
  return to;
}
}  // namespace plan

// ==== >>call ==== one public call: inspect, plan, carry out ====
// Belongs here: the order of the steps of a call, what is done for each step of a plan, and what
// is said of it. What is to be done is decided in >>plan, how a tier does it is >>tier's, and how
// bytes come from the web >>download's. A set has any number of files.
namespace call {
inline fs::path given_directory(const options& o, bool local) {
  const fs::path& given = local ? o.local_dir : o.cache_dir;
  string way = os::env(local ? "VQCACHE_LOCAL_DIR" : "VQCACHE_CACHE_DIR");
  if (way.empty()) {
    way = local ? "content/models" : "content/cache/models";
  }
  return given.empty() ? os::to_path(way) : given;
}

inline bool begins_at_home(const fs::path& given) {
  return strings::starts_with(error::shown(given), "~");
}

// Empty: ~ without a home, or a relative one without a working directory.
inline fs::path directory(const options& o, bool local) {
  return os::resolved(given_directory(o, local));
}

// Of the lasting tier. Without a working directory it stays relative: a cache that is broken.
inline fs::path lasting_directory(const options& o) {
  const fs::path given = given_directory(o, false);
  const fs::path place = os::resolved(given);
  return place.empty() && !begins_at_home(given) ? given : place;
}

inline constexpr uint64_t told_from = uint64_t{64} << 20;  // bytes whose storing is announced
inline constexpr int most_rounds = 3;  // storing may find that the local file is damaged

struct arrival {                // a file on its way to the local tier
  box<tier::byte_sink> sink{};  // null: it is there, and stays
  formats::entry entry{};       // what the receipt will say of it
  bool is_here = false;
};

struct unused_copy {  // of a lasting tier
  string why{};       // it stands all the same
  string aside{};     // the name under which it was put aside
};

struct mirror {  // a copy that is made while its file arrives
  size_t place = 0;
  box<partial::trailing_copy> copy{};
};

struct stored {
  status problem{};
  bool is_local_damaged = false;  // a local file was not what its receipt says
};

using tiers = list<box<tier::tier>>;

// Where nothing that is held can serve.
enum class downloads { as_needed, never };

class call {
 public:
  explicit call(const options& opts, downloads may = downloads::as_needed)
      : who_(opts, string()),
        downloads_(may) {}

  // ---- before: which set it is, and where its files lie

  void be_no_use() { local_mode_ = os::mode::glance; }  // of the model: see os::last_used()

  // The tiers of the options, for a set of files; the lasting one comes last.
  status open(const string& name, const list<plan::wanted_file>& files, tier::layout how) {
    vector<string> names;
    for (const plan::wanted_file& file : files) {
      names.push_back(file.name);
    }
    const tier::owned_paths paths = tier::paths_of(name, names, how);
    VQCACHE_NEED_(paths.problem);

    const options& o = who_.opts();
    const fs::path fast = directory(o, true);
    const fs::path slow = lasting_directory(o);
    if (fast.empty() && !begins_at_home(given_directory(o, true))) {
      return os::not_there(given_directory(o, true), os::no_working_directory);
    }
    if (fast.empty()) {
      return homeless(o.local_dir, "options::local_dir", "VQCACHE_LOCAL_DIR");
    }
    if (o.keep_copy && slow.empty()) {
      return homeless(o.cache_dir, "options::cache_dir", "VQCACHE_CACHE_DIR");
    }

    has_one_place_ = o.keep_copy && is_one_place(fast, slow);
    using directory_tier = tier::directory_tier;
    auto local = box<directory_tier>(new directory_tier(
        directory_tier::where{fast, false, local_mode_, o.create_dirs}, name, names, how));
    begin(name, files, std::move(local), lasting_tiers(name, names, how));
    return {};
  }

  // The one that takes copies, if there is to be one, and those that are only read.
  tiers lasting_tiers(const string& name, const vector<string>& names, tier::layout how) const {
    const options& o = who_.opts();
    const auto in = [&](const fs::path& directory) {
      return box<tier::directory_tier>(new tier::directory_tier(
          tier::directory_tier::where{directory / name, true, os::mode::read, o.create_dirs}, name,
          names, how));
    };

    tiers all;
    const fs::path slow = lasting_directory(o);
    if (has_one_place_) {
      all.push_back(box<tier::lent_tier>(new tier::lent_tier(in(slow))));  // of earlier calls
    } else if (o.keep_copy) {
      all.push_back(in(slow));
    }
    for (const fs::path& place : o.also_look_in) {
      const fs::path other = os::resolved(place);
      if (!other.empty()) {
        all.push_back(box<tier::lent_tier>(new tier::lent_tier(in(other))));
      }
    }
    return all;
  }

  static bool has_folders(const list<plan::wanted_file>& files) {
    for (const plan::wanted_file& file : files) {
      if (strings::contains(file.name, "/")) return true;
    }
    return false;
  }

  // In which the set's files lie, with a separator at its end.
  static string folder_of(const tier::tier& in, const string& file) {
    const string path = os::shown(in.place_of(file).path);
    return path.substr(0, path.size() - file.size());
  }

  static bool is_one_place(const fs::path& a, const fs::path& b) {
    const auto bare = [](const fs::path& path) {  // "models/" is "models"
      return path.has_filename() ? path : path.parent_path();
    };
    return bare(a) == bare(b);
  }

  bool keeps_copy() const { return who_.opts().keep_copy && !has_one_place_; }

  void begin(const string& name, const list<plan::wanted_file>& files,
      box<tier::directory_tier> local, tiers lasting) {
    name_ = name;
    who_ = caller(who_.opts(), name);
    if (has_folders(files)) {
      who_.name_files_from(folder_of(*local, files[0].name));
      for (const auto& one : lasting) {
        if (one->can().has_paths) {
          who_.name_files_from(folder_of(*one, files[0].name));
        }
      }
    }
    local_ = std::move(local);
    lasting_ = std::move(lasting);
    mirrors_.resize(files.size());

    now_ = plan::situation();
    now_.wanted = files;
    now_.facts.resize(files.size());
    for (plan::file_facts& known : now_.facts) {
      known.copies.resize(lasting_.size());
    }
    now_.is_offline = !offline_by().empty();
  }

  // What the tiers' receipts hold under a name: the local one first, then what others add.
  enum class unreadable { is_failure, is_nothing };

  result_of<tier::held_set> held(const string& name, unreadable receipt_that_is) const {
    const string receipt = name + ".sha256";
    const fs::path fast = directory(who_.opts(), true);
    const fs::path slow = lasting_directory(who_.opts());
    const string odd = strings::name_problem(name);
    if (!odd.empty() || fast.empty() || slow.empty()) return tier::held_set();  // open() tells

    string local;
    if (tier::spelling_in(fast, receipt).empty()) {  // else it is another model's
      VQCACHE_NEED_(read_if_there(fast / receipt, local_mode_, local));
    }
    vector<fs::path> places = who_.opts().also_look_in;
    if (who_.opts().keep_copy) {
      places.insert(places.begin(), slow);
    }

    formats::receipt lasting;
    for (const fs::path& place : places) {
      string text;
      const fs::path at = os::resolved(place);
      if (at.empty() || !tier::spelling_in(at, name).empty()) continue;
      const status read = read_if_there(at / name / receipt, os::mode::read, text);
      if (!read.ok() && receipt_that_is == unreadable::is_failure) return read;
      for (const formats::entry& one : formats::read_receipt(text)) {
        lasting.push_back(one);
      }
    }
    return tier::held_by(name, formats::read_receipt(local), lasting);
  }

  // role: what an error calls the file. is_pin: a digest of the source binds the tiers, too.
  status take_source(size_t file, const source& from, const string& role, bool is_pin) {
    plan::wanted_file& wanted = now_.wanted[file];
    const bool is_of_hub = !who_.opts().fetch && hub::has_address(from);
    if (!is_of_hub) {  // a user's transport gets addresses of the hub as they are
      VQCACHE_NEED_(checks::examine(from, role, who_.opts(), wanted.from));
    }
    string known;
    if (is_of_hub) {
      result_of<hub::expanded> all = hub::expand(from);
      VQCACHE_NEED_(all.why());
      VQCACHE_NEED_(checks::examine(all->from, role, who_.opts(), wanted.from));
      known = all->sha256;
    }

    string& digest = wanted.from.sha256;
    wanted.pin = is_pin ? digest : string();
    if (digest.empty()) {
      digest = known;
    }
    return {};
  }

  // How many of the files some tier has.
  size_t count_held() {
    look_into_tiers();
    size_t count = 0;
    for (size_t file = 0; file < size(); ++file) {
      bool is_held = plan::local_of(now_, file).is_regular();
      for (const plan::lasting_tier& one : now_.lasting) {
        is_held = is_held || one.has.files[file].is_regular();
      }
      if (is_held) {
        ++count;
      }
    }
    return count;
  }

  // A call by name alone gives no URLs. Whether each file has one then.
  bool take_sources_of_receipts() {
    bool have_all = true;
    for (size_t file = 0; file < size(); ++file) {
      const vector<string>& urls = now_.wanted[file].from.urls;
      if (urls.empty()) {
        take_source_of_receipt(file);
      }
      have_all = have_all && !urls.empty();
    }
    return have_all;
  }

  bool has_leftovers() {
    for (const auto& one : lasting_) {
      if (one->has_leftovers()) return true;
    }
    return local_->has_leftovers();
  }

  // ---- the call

  status download() {
    inspect();
    if (plan_.refused.place == plan::in_local) {
      VQCACHE_NEED_(failure_of(plan_.refused));
    }
    if (plan_.keeps_all() && is_served()) return who_.stop();
    return carry_out();
  }

  status carry_out() {
    VQCACHE_NEED_(local_->may_stand());
    for (const auto& one : lasting_) {
      VQCACHE_NEED_(one->may_stand());
    }
    VQCACHE_NEED_(local_->make_ready());
    const os::quiet_signals quiet;
    const os::interrupt_guard guard(who_.opts().catch_interrupt);
    who_.watch([&guard] { return guard.hit(); });
    if (has_one_place_) {
      who_.warn(
          {"The local directory is that of the cache, too, ", local_root(), ": no copy is kept."});
    }
    wait_for_others();
    return bring_and_store();
  }

  // Reads all there is, and holds it to the receipts.
  status read_all(std::vector<checked_file>& found) {
    look_into_tiers();
    VQCACHE_NEED_(now_.local.taken);
    const os::interrupt_guard guard(who_.opts().catch_interrupt);
    who_.watch([&guard] { return guard.hit(); });
    for (size_t n = 0; n <= lasting_.size(); ++n) {
      const size_t place = n == 0 ? plan::in_local : n - 1;
      if (place != plan::in_local && !now_.lasting[place].can.takes_copies) continue;
      VQCACHE_NEED_(inventory_of(place).receipt_problem);  // it is there: nothing can be said
      for (size_t file = 0; file < size(); ++file) {
        found.push_back(read_one(file, place));
        VQCACHE_NEED_(who_.stop());
      }
    }
    return {};
  }

  // What read_all() has found wrong is brought from elsewhere.
  status repair(const std::vector<checked_file>& found) {
    bool has_any = false;
    for (size_t n = 0; n < found.size(); ++n) {
      const size_t file = n % size();
      const checked_file& one = found[n];
      const bool is_wrong = one.is == condition::damaged || one.is == condition::unreadable;
      has_any = has_any || one.is != condition::right;
      if (is_wrong && one.where == origin::local) {
        now_.facts[file].wrong = one.why;
      }
    }
    if (!has_any) return {};

    salvages_ = true;
    for (size_t file = 0; file < size(); ++file) {
      take_source_of_receipt(file);
    }
    return carry_out();
  }

  status remove() {
    inspect();
    VQCACHE_NEED_(now_.local.taken);
    for (const plan::lasting_tier& one : now_.lasting) {
      VQCACHE_NEED_(one.has.taken);
    }

    wait_for_others();
    VQCACHE_NEED_(local_->remove());
    for (const auto& one : lasting_) {
      VQCACHE_NEED_(one->remove());
    }
    (void)os::unlink(lock_path());
    return who_.stop();
  }

  // ---- the local tier makes room

  // What is_removed tells is done, or in a dry run would be. A failure ends the whole of it; what
  // keeps this model alone is told.
  status prune(bool is_dry_run, pruned_model& to) {
    look_into_tiers();
    const string obvious = why_it_stays();
    if (!obvious.empty()) {
      to.why = obvious;
      return {};
    }
    if (is_dry_run) {
      to.is_removed = true;
      to.why = join(
          {"there is a copy of its size in ", lasting_[0]->description(), ", which was not read"});
      return {};
    }

    const os::interrupt_guard guard(who_.opts().catch_interrupt);
    who_.watch([&guard] { return guard.hit(); });
    const status kept = make_room();
    VQCACHE_NEED_(who_.stop());
    to.is_removed = kept.ok();
    to.why = kept.text;
    if (kept.ok()) {
      to.why = join({"its copy in ", lasting_[0]->description(), " was read, and is right"});
    }
    return {};
  }

  optional<uint64_t> local_bytes() {  // none: it cannot be told
    uint64_t bytes = 0;
    now_.local = local_->inspect();
    for (const tier::stored_file& one : now_.local.files) {
      if (one.is == tier::stored_file::presence::unknown) return {};
      bytes += one.size;
    }
    return bytes;
  }

  // ---- what download() would do, in words: nothing is changed, and nothing is said

  void explain(explanation& to) {
    inspect();
    (void)take_sources_of_receipts();
    plan_ = plan::plan(now_);
    const list<vector<string>> unusable = leave_out_unusable();
    for (size_t place = 0; place < lasting_.size(); ++place) {
      ask_whether_writable(place);
    }

    to.name = name_;
    to.is_hit = is_hit();
    for (size_t file = 0; file < size(); ++file) {
      to.files.push_back(explained(file, unusable[file]));
    }
  }

  // ---- afterwards

  caller& who() { return who_; }

  bool is_offline() const { return now_.is_offline; }

  const plan::wanted_file& wanted(size_t file) const { return now_.wanted[file]; }

  bool has_receipt() const {
    bool has_any = now_.local.has_receipt;
    for (const plan::lasting_tier& one : now_.lasting) {
      has_any = has_any || one.has.has_receipt;
    }
    return has_any;
  }

  const string& name() const { return name_; }

  const options& opts() const { return who_.opts(); }

  size_t size() const { return now_.wanted.size(); }

  fs::path local_path(size_t file) const { return local_->place_of(now_.wanted[file].name).path; }

  fs::path local_root() const { return local_->root(); }

  // "neither 'LOCAL' nor 'CACHE'", for an error
  string places() const {
    string all = join({"neither ", local_root()});
    if (who_.opts().keep_copy) {
      all += join({" nor ", lasting_directory(who_.opts())});
    }
    for (const fs::path& place : who_.opts().also_look_in) {
      all += join({" nor ", os::resolved(place)});
    }
    return all;
  }

  origin from() const { return from_; }

  bool is_cached() const { return is_cached_; }

 private:
  checked_file read_one(size_t file, size_t place) {
    using presence = tier::stored_file::presence;
    const tier::stored_file& one = file_in(file, place);
    checked_file found;
    found.file = one.name;
    found.where = place == plan::in_local ? origin::local : origin::cache;
    found.path = tier_of(place).place_of(one.name).path;
    const auto be = [&found](condition is, const string& why) {
      found.is = is;
      found.why = why;
      return found;
    };

    if (one.is == presence::absent) return be(condition::missing, "it is not there");
    if (one.is == presence::unknown) {
      return be(condition::unreadable, error::system(one.problem, "look at", found.path).text);
    }
    if (!one.is_regular()) return be(condition::damaged, "it is not a regular file");
    if (!one.has_receipt()) return be(condition::unvouched, "no receipt speaks of it");
    if (!one.fits_receipt()) {
      return be(condition::damaged,
          join({"it has ", one.size, " bytes instead of the ", one.said.size, " of its receipt"}));
    }

    const tier::digest_of_file read = tier::digest_of(tier_of(place), one, who_);
    note_digest(file, place, read);
    if (!read.problem.ok()) return be(condition::unreadable, read.problem.text);
    if (read.sha256 == one.said.sha256) return found;
    return be(condition::damaged,
        join({"its SHA-256 is ", read.sha256, ", not ", one.said.sha256, " as its receipt says"}));
  }

  void note_digest(size_t file, size_t place, const tier::digest_of_file& read) {
    if (place != plan::in_local) {
      now_.facts[file].copies[place].digest = read.problem.ok() ? read.sha256 : string();
    }
  }

  // Where a receipt says that a file came from, if that can be asked again.
  void take_source_of_receipt(size_t file) {
    const tier::stored_file* said = &plan::local_of(now_, file);
    for (const plan::lasting_tier& one : now_.lasting) {
      if (said->said.origin.empty()) {
        said = &one.has.files[file];
      }
    }
    const string& url = said->said.origin;
    plan::wanted_file& wanted = now_.wanted[file];
    if (url.empty() || strings::contains(url, "***")) return;  // a part of it was a secret
    (void)checks::examine(source(url), wanted.name, who_.opts(), wanted.from);
  }

  // ---- explain

  // A copy of which its size or its receipt tells already that it cannot serve: why, of each file.
  list<vector<string>> leave_out_unusable() {
    list<vector<string>> why(size());
    for (size_t file = 0; file < size(); ++file) {
      for (const plan::restorable& copy : plan_.files[file].sources) {
        if (copy.fault.ok()) continue;
        now_.facts[file].copies[copy.place].is_unusable = true;
        why[file].push_back(join({shown(file, copy.place), " cannot be used: ", copy.fault.text}));
      }
    }
    plan_ = plan::plan(now_);
    return why;
  }

  bool is_hit() const {
    if (plan_.refused || !plan_.keeps_all()) return false;
    for (const plan::tier_plan& copies : plan_.copies) {
      if (!copies.is_complete && !cannot_be_written(copies)) return false;
    }
    return true;
  }

  // What keeps the file from being had; ok: nothing that is known.
  status hindered(size_t file) const {
    const plan::local_step step = plan_.files[file].local;
    if (plan_.refused) return failure_of(plan_.refused);
    if (step == plan::local_step::keep) return {};
    if (plan_.blocked) return failure_of(plan_.blocked);
    const bool is_to_come = step == plan::local_step::download;
    return is_to_come ? failure_of(plan_.unreachable) : status();
  }

  static const char* word_of(plan::local_step step) {
    switch (step) {
      case plan::local_step::keep: return "use";
      case plan::local_step::verify: return "hash";
      case plan::local_step::restore: return "restore";
      case plan::local_step::download: break;
    }
    return "download";
  }

  explained_file explained(size_t file, const vector<string>& unusable) const {
    const plan::file_plan& now = plan_.files[file];
    const status problem = hindered(file);
    explained_file to;
    to.file = now_.wanted[file].name;
    to.path = local_path(file);
    to.step = problem.ok() ? word_of(now.local) : "fail";
    to.why.push_back(join({to.step, ": ", problem.ok() ? now.reason : problem.text}));

    to.why.push_back(what_stands(file, plan::in_local));
    for (size_t place = 0; place < lasting_.size(); ++place) {
      to.why.push_back(what_stands(file, place));
    }
    for (const string& line : unusable) {
      to.why.push_back(line);
    }
    if (!now.local_wrong.empty()) {
      to.why.push_back("the local file is not used: " + now.local_wrong);
    }
    add_copies(file, to.why);
    const string& origin = origin_of(file);
    if (strings::contains(origin, "***")) {
      to.why.push_back(
          join({"it came from ", origin, ", of which a part is not known: *** was a ", "secret"}));
    }
    for (string& line : to.why) {
      line = strings::readable(line);
    }
    return to;
  }

  string what_stands(size_t file, size_t place) const {
    const tier::stored_file& one = plan::copy_of(now_, file, place);
    const string path = shown(file, place);
    using presence = tier::stored_file::presence;
    if (one.is == presence::absent) return path + " is not there";
    if (one.is == presence::unknown) {
      return error::system(one.problem, "look at", tier_of(place).place_of(one.name).path).text;
    }
    if (!one.is_regular()) return path + " is not a regular file";

    const string size = join({path, " has ", one.size, " bytes"});
    if (!one.look.ok()) {
      return join({size, ", no receipt, and does not look right: ", one.look.text});
    }
    if (!one.has_receipt()) return size + ", and no receipt speaks of it";
    if (!one.fits_receipt()) {
      return join({size, ", and its receipt says ", one.said.size});
    }
    return size
        + (one.said.unverified ? ", as its receipt says, which vouches for nothing"
                               : ", as its receipt says");
  }

  void add_copies(size_t file, vector<string>& lines) const {
    for (size_t place = 0; place < lasting_.size(); ++place) {
      const plan::tier_plan& copies = plan_.copies[place];
      const plan::copy_step step = copies.files[file].step;
      const string where = lasting_[place]->description();
      const bool is_to_come = step != plan::copy_step::keep && !copies.is_complete;
      if (copies.in_way) {
        lines.push_back(
            join({"no copy can be kept in ", where, ": ", failure_of(copies.in_way).text}));
      } else if (is_to_come) {
        lines.push_back(
            join({"its copy in ", where, " is to be made: ", copies.files[file].reason}));
      }
    }
    if (!keeps_copy()) {
      lines.push_back("no copy is kept");
    }
  }

  const string& origin_of(size_t file) const {  // as a receipt tells it, or empty
    const tier::stored_file* said = &plan::local_of(now_, file);
    for (const plan::lasting_tier& one : now_.lasting) {
      if (said->said.origin.empty()) {
        said = &one.has.files[file];
      }
    }
    return said->said.origin;
  }

  // ---- prune: the copy is in the first of the lasting tiers, the one that takes copies

  string why_it_stays() const {
    const tier::inventory& copies = now_.lasting[0].has;
    for (const status& one : {now_.local.taken, now_.local.receipt_problem, copies.taken}) {
      if (!one.ok()) return one.text;
    }
    for (size_t file = 0; file < size(); ++file) {
      string why = plan::reason_to_stay(now_, file, 0);
      if (why.empty()) {
        why = why_no_second_file(file);
      }
      if (!why.empty()) return why + advice_to_keep(file);
    }
    return {};
  }

  // A link, or two names of one file, as of directories that are one: nothing would be won, and
  // all might be lost.
  string why_no_second_file(size_t file) const {
    std::error_code e;
    const fs::path here = local_path(file);
    const fs::path there = lasting_[0]->place_of(now_.wanted[file].name).path;
    if (!plan::local_of(now_, file).is_regular()) return {};
    if (!os::look(here, false).regular) {
      return now_.wanted[file].name + " is a symbolic link";
    }
    return fs::equivalent(here, there, e) ? now_.wanted[file].name + " and its copy are one file"
                                          : string();
  }

  // What mends a copy needs a receipt.
  string advice_to_keep(size_t file) const {
    const tier::stored_file& local = plan::local_of(now_, file);
    const bool is_wanting = !plan::copy_that_is_wanting(now_, file, 0).empty();
    if (!is_wanting || !local.is_regular()) return {};
    return local.has_receipt() ? "; repair_model mends that" : "; a call for this model mends that";
  }

  // ok: its local files are gone.
  status make_room() {
    const bool may_lock = os::open(lock_path(), os::mode::lock, lock_) == 0;
    if (may_lock && os::try_lock(lock_) == EWOULDBLOCK) {
      return fail(errc::io, {"another call is at work on it"});
    }

    vector<string> files;
    for (size_t file = 0; file < size(); ++file) {
      if (!plan::local_of(now_, file).is_regular()) continue;
      files.push_back(now_.wanted[file].name);
      VQCACHE_NEED_(read_both(file));
    }
    look_into_tiers();  // once more: a lock is no promise
    const string why = why_it_stays();
    if (!why.empty()) {
      return fail(errc::io, {why});
    }
    if (!all_were_read()) {
      return fail(errc::io, {"its receipt went away meanwhile"});
    }
    VQCACHE_NEED_(local_->withdraw(files));
    (void)os::unlink(lock_path());
    return {};
  }

  bool all_were_read() const {  // as far as they have no receipt
    for (size_t file = 0; file < size(); ++file) {
      const tier::stored_file& local = plan::local_of(now_, file);
      const bool is_known = local.has_receipt() || !now_.facts[file].digest.empty();
      if (local.is_regular() && !is_known) return false;
    }
    return true;
  }

  status read_both(size_t file) {
    tier::digest_of_file read = tier::digest_of(*lasting_[0], file_in(file, 0), who_);
    VQCACHE_NEED_(read.problem);
    now_.facts[file].copies[0].digest = std::move(read.sha256);
    if (plan::local_of(now_, file).has_receipt()) return {};

    read = tier::digest_of(*local_, plan::local_of(now_, file), who_);
    VQCACHE_NEED_(read.problem);
    now_.facts[file].digest = std::move(read.sha256);
    return {};
  }

  static status homeless(const fs::path& option, const char* member, const char* variable) {
    return fail(errc::invalid_argument,
        {option.empty() ? variable : member, " begins with ~, but there is no home directory"});
  }

  string offline_by() const {  // what forbids to download, or empty
    if (who_.opts().offline) return "options::offline";
    return strings::means_yes(os::env("VQCACHE_OFFLINE")) ? "the variable VQCACHE_OFFLINE" : "";
  }

  static status read_if_there(const fs::path& file, os::mode how, string& content) {
    const int problem = os::read_text(file, content, how, formats::largest_receipt);
    if (problem == ENOENT || problem == ENOTDIR) return {};
    return error::system(problem, "read", file);
  }

  // ---- inspect

  void look_into_tiers() {
    now_.local = local_->inspect();
    now_.lasting.resize(lasting_.size());
    for (size_t place = 0; place < lasting_.size(); ++place) {
      now_.lasting[place].can = lasting_[place]->can();
      now_.lasting[place].has = lasting_[place]->inspect();
    }
  }

  void inspect() {
    look_into_tiers();
    for (size_t file = 0; file < size(); ++file) {
      judge(file, plan::in_local);
      for (size_t place = 0; place < lasting_.size(); ++place) {
        judge(file, place);
      }
    }
    plan_ = plan::plan(now_);
  }

  void judge(size_t file, size_t place) {
    if (!plan::has_to_be_judged(now_, file, place)) return;
    tier::stored_file& one = file_in(file, place);
    one.look = tier_of(place).judge(one, now_.wanted[file].kind);
    if (one.is_no_such_file()) {
      one.look.text += " (a pin, source::sha256, overrules that)";
    }
  }

  tier::tier& tier_of(size_t place) {
    if (place == plan::in_local) return *local_;
    return *lasting_[place];
  }

  const tier::tier& tier_of(size_t place) const {
    if (place == plan::in_local) return *local_;
    return *lasting_[place];
  }

  tier::stored_file& file_in(size_t file, size_t place) {
    if (place == plan::in_local) return now_.local.files[file];
    return now_.lasting[place].has.files[file];
  }

  string shown(size_t file, size_t place) const {
    return tier_of(place).description_of(now_.wanted[file].name);
  }

  const tier::inventory& inventory_of(size_t place) const {
    return place == plan::in_local ? now_.local : now_.lasting[place].has;
  }

  // ---- what people are told

  // What an obstacle that ends the call, or keeps a copy from being made, is called.
  status failure_of(const plan::hindrance& one) const {
    using plan::obstacle;
    const tier::stored_file* file =
        one.is == obstacle::none ? nullptr : &plan::copy_of(now_, one.file, one.place);
    switch (one.is) {
      case obstacle::none: return {};
      case obstacle::name_taken: return inventory_of(one.place).taken;
      case obstacle::receipt_unreadable: return inventory_of(one.place).receipt_problem;
      case obstacle::file_unknown:
        return error::system(
            file->problem, "look at", tier_of(one.place).place_of(file->name).path);
      case obstacle::not_a_file:
        return fail(errc::io, {shown(one.file, one.place), " is not a regular file; move it"});
      case obstacle::not_judged: return file->look;
      case obstacle::another_model:
        return fail(errc::name_taken,
            {"another model is there (", shown(one.file, one.place), "); it is left alone"});
      case obstacle::not_writable: return tier_of(one.place).may_write();
      case obstacle::offline: return unreachable(true);
      case obstacle::no_source: return unreachable(false);
    }
    return {};
  }

  status unreachable(bool is_known) const {
    string missing, all;
    for (size_t file = 0; file < size(); ++file) {
      if (plan_.files[file].local == plan::local_step::download) {
        missing += join({missing.empty() ? "" : ", ", now_.wanted[file].name});
      }
    }
    for (const auto& one : lasting_) {
      all += join({all.empty() ? "" : ", ", one->description()});
    }

    string in = join({"there is no ", missing, " in ", local_->description()});
    if (!all.empty()) {
      in += " and none to be used in " + all;
    }
    if (!is_known) {
      const char* const advice = downloads_ == downloads::never
          ? "; nothing is downloaded here: vqcache::repair_model may know where it came from"
          : "";
      return fail(errc::unknown_model, {in, lost_, ", and no URL for it is known", advice});
    }
    return fail(errc::offline,
        {in, lost_, ", and ", offline_by(),
            " makes the call offline; put it there, or call once without"});
  }

  void tell_unverified(size_t file) {
    who_.warn({"Nothing vouches for ", now_.wanted[file].name,
        ": it is served unverified, as it was found."});
  }

  void tell_not_cached(const status& why) {
    who_.warn(
        {"The model (", name_, ") is complete locally, but not in the cache: ", why.text, "."});
  }

  // An old receipt has no digest of the address, and one of 0.1.0 shows nothing of a query.
  static bool is_origin(const string& url, const formats::entry& said) {
    using shown_of = urls::shown_of_query;
    const string address = said.address.empty() ? string() : hash::of_address(url);
    if (!address.empty()) return address == said.address;

    const string as_now = strings::printable(urls::redact(url));
    const string as_then = strings::printable(urls::redact(url, shown_of::nothing));
    return said.origin == as_now || said.origin == as_then;
  }

  void tell_origin(size_t file, const formats::entry& said) {  // other URLs than stored, and no pin
    const plan::wanted_file& wanted = now_.wanted[file];
    const vector<string>& urls = wanted.from.urls;
    if (said.origin.empty() || !wanted.pin.empty() || urls.empty()) {
      return;
    }
    for (const string& url : urls) {
      if (is_origin(url, said)) return;
    }

    const string asked = strings::printable(urls::redact(urls[0]));
    const char* const hidden = asked == said.origin ? " (in what is hidden they differ)" : "";
    who_.warn({"The stored ", wanted.name, " came from ", said.origin, ", not from ", asked, hidden,
        "; it is served as it is. To get the other one, use another name, or vqcache::remove."});
  }

  static const char* shown(plan::authority by) {
    switch (by) {
      case plan::authority::nobody:
      case plan::authority::pin: break;
      case plan::authority::local_receipt: return "the local receipt";
      case plan::authority::lasting_receipt: return "the receipt in the cache";
    }
    return "the pin";
  }

  partial::demand demand_of(size_t file, const plan::expectation& want) const {
    partial::demand d{now_.wanted[file].kind, want.sha256};
    d.bound_by = shown(want.by);
    d.verified = want.is_verified;
    return d;
  }

  // ---- a local set that is whole

  // Whether the call can end: the copies are whole too, or none can be made, which is said.
  bool is_served() {
    announce();
    bool has_all = true, is_settled = true;
    for (size_t place = 0; place < lasting_.size(); ++place) {
      ask_whether_writable(place);
      const plan::tier_plan& copies = plan_.copies[place];
      const bool is_hopeless = cannot_be_written(copies);
      if (is_hopeless) {
        tell_not_cached(failure_of(copies.in_way));
      }
      has_all = has_all && copies.is_complete;
      is_settled = is_settled && (copies.is_complete || is_hopeless);
    }
    is_cached_ = has_all && keeps_copy();
    return is_settled;
  }

  static bool cannot_be_written(const plan::tier_plan& copies) {
    const plan::obstacle in_way = copies.in_way.is;
    return in_way == plan::obstacle::name_taken || in_way == plan::obstacle::not_writable;
  }

  void announce() {
    if (std::exchange(is_announced_, true)) return;
    who_.say({"The model (", name_, ") is already available locally."});
    for (size_t file = 0; file < size(); ++file) {
      tell_origin(file, plan::local_of(now_, file).said);
    }
    for (size_t file = 0; file < size(); ++file) {
      if (plan_.files[file].is_unvouched) {
        tell_unverified(file);
      }
    }
  }

  // It is asked only where something is to be written: a hit costs nothing.
  void ask_whether_writable(size_t place) {
    if (plan_.copies[place].is_complete || !now_.lasting[place].has.taken.ok()) {
      return;
    }
    now_.lasting[place].can.is_writable = tier_of(place).may_write().ok();
    plan_ = plan::plan(now_);
  }

  // ---- other calls

  fs::path lock_path() const { return local_->at() / join({".", name_, ".lock"}); }

  // It saves a second download and nothing rests on it: every doubt ends in going on without it.
  void wait_for_others() {
    if (os::open(lock_path(), os::mode::lock, lock_) != 0) return;
    constexpr int looks_at_every = 10, pause_ms = 20;
    constexpr unsigned default_limit = 30;  // going on without it costs little
    const unsigned limit = who_.opts().stall_seconds;
    worker::pace growth{limit == 0 ? default_limit : limit, 0, 1};
    uint64_t seen = 0;  // bytes that some call has brought so far
    for (int waits = 0;; ++waits) {
      if (os::try_lock(lock_) != EWOULDBLOCK) return;
      if (waits == 0) {
        who_.say({"Waiting for another call that is bringing the model (", name_, ")."});
      }
      if (waits % looks_at_every == 0) {
        seen = bytes_under_way();
      }
      if (growth.stalled(seen)) {
        return who_.warn({"The other call stalls; going on without it."});
      }
      if (!who_.step(phase::waiting, now_.wanted.back().name, seen, 0)) {
        return;
      }
      os::sleep_ms(pause_ms);
    }
  }

  uint64_t bytes_under_way() {
    uint64_t bytes = local_->bytes_under_way();
    for (const auto& one : lasting_) {
      bytes += one->bytes_under_way();
    }
    return bytes;
  }

  // ---- the steps of a plan

  status bring_and_store() {
    for (int round = 0; round < most_rounds && !who_.stopped(); ++round) {
      inspect();
      VQCACHE_NEED_(failure_of(plan_.refused));
      sweep_others();
      VQCACHE_NEED_(settle());
      if (plan_.verifies_any()) continue;  // a file has changed meanwhile

      VQCACHE_NEED_(bring());
      local_->sweep(who_, tier::tier::leftovers::all);
      if (is_served() || who_.stopped()) return who_.stop();
      if (!store_all()) return who_.stop();
    }
    if (who_.stopped()) return who_.stop();
    return fail(errc::hash_mismatch, {"its local files change while being read"});
  }

  void sweep_others() {
    using leftovers = tier::tier::leftovers;
    local_->sweep(who_, leftovers::useless);
    for (const auto& one : lasting_) {
      one->sweep(who_, leftovers::all);
    }
  }

  // Settles by reading what names and sizes leave open.
  status settle() {
    if (plan_.keeps_all()) return {};

    lost_.clear();
    take_back_missing();
    if (plan_.keeps_all()) return {};
    VQCACHE_NEED_(look_for_other_model());
    VQCACHE_NEED_(failure_of(plan_.blocked));
    VQCACHE_NEED_(verify_local_files());
    inspect();
    for (size_t file = 0; file < size(); ++file) {
      if (const string& why = plan_.files[file].local_wrong; !why.empty()) {
        lost_ += join({"; ", shown(file, plan::in_local), " is left as it is: ", why});
      }
    }
    take_back_missing();
    return {};
  }

  // What was put aside gets its name again, if it is what is missing after all.
  void take_back_missing() {
    bool has_news = false;
    for (size_t file = 0; file < size(); ++file) {
      for (const size_t place : plan_.files[file].missing) {
        has_news = take_back(file, place, plan::digest_in(now_, file, place), string()) || has_news;
      }
    }
    if (has_news) {
      inspect();
    }
  }

  // except: the name of what was put aside a moment ago.
  bool take_back(size_t file, size_t place, const string& sha256, const string& except) {
    const tier::stored_file& one = file_in(file, place);
    const string aside = tier_of(place).find_aside(one, sha256, except, who_);
    return !aside.empty() && tier_of(place).give_back(one, aside, who_);
  }

  // What fits its own receipt, and not the pin, is another model: nothing of it is touched.
  status look_for_other_model() {
    for (size_t file = 0; file < size(); ++file) {
      for (const size_t place : plan_.files[file].suspects) {
        const tier::digest_of_file read =
            tier::digest_of(tier_of(place), file_in(file, place), who_);
        if (error::may_pass(read.problem)) return read.problem;  // then nothing is known of it
        if (!read.problem.ok() || !file_in(file, place).is_said_to_be(read.sha256)) {
          continue;
        }
        return fail(errc::name_taken,
            {"another model stands under this name: ", shown(file, place),
                " fits its receipt, but not the pin ", now_.wanted[file].pin,
                "; use another name, or remove ", list_of_files(), " from ", local_->description(),
                ", and ", list_of_lasting(), " (by vqcache::remove)"});
      }
    }
    return {};
  }

  string list_of_files() const {  // "m.yaml, .ckpt and .sha256"
    string list = now_.wanted[0].name;
    for (size_t file = 1; file < size(); ++file) {
      const string& one = now_.wanted[file].name;
      list += ", " + (strings::starts_with(one, name_ + ".") ? one.substr(name_.size()) : one);
    }
    return list + " and .sha256";
  }

  string list_of_lasting() const {
    string list;
    for (const auto& one : lasting_) {
      list += join({list.empty() ? "" : ", ", one->description()});
    }
    return list;
  }

  status verify_local_files() {
    formats::receipt now;
    bool has_news = false;
    for (size_t file = 0; file < size(); ++file) {
      formats::entry entry = plan::local_of(now_, file).said;
      if (plan_.files[file].local == plan::local_step::verify) {
        VQCACHE_NEED_(verify_local(file));
        if (now_.facts[file].is_right) {
          entry = entry_of_verified(file);
        }
        has_news = has_news || now_.facts[file].is_right;
      }
      if (!entry.sha256.empty()) {
        now.push_back(std::move(entry));
      }
    }
    const status kept = has_news ? local_->renew_receipt(now) : status();
    return now_.local.has_receipt ? kept : status();
  }

  status verify_local(size_t file) {
    const plan::expectation want = plan_.files[file].expected;
    const tier::stored_file& local = plan::local_of(now_, file);
    plan::file_facts& known = now_.facts[file];
    if (want.by == plan::authority::pin || local.has_receipt()) {
      who_.say({"Checking ", local.name, " against ", shown(want.by), "."});
    }

    const tier::digest_of_file read = tier::digest_of(*local_, local, who_);
    VQCACHE_NEED_(read.problem);
    known.digest = read.sha256;
    known.is_right = read.sha256 == want.sha256;
    if (known.is_right) return {};

    const string why = join({"its SHA-256 is ", read.sha256, ", not ", want.sha256});
    if (local.is_vouched_for()) {
      return set_aside(file, plan::in_local, why).problem;
    }
    known.wrong = why;  // a pin may be mistyped: it stands until its place is taken
    return {};
  }

  formats::entry entry_of_verified(size_t file) const {
    const tier::stored_file& local = plan::local_of(now_, file);
    const tier::stored_file* copy = plan::first_with_receipt(now_, file);
    const string& sha256 = now_.facts[file].digest;
    const bool is_of_copy = !local.has_receipt() && copy && copy->is_said_to_be(sha256);

    formats::entry now = is_of_copy ? copy->said : local.said;
    if (now.sha256 != sha256) {  // then these were said of other bytes
      now.declared.clear();
      now.blocks.clear();
    }
    now.file = local.name;
    now.sha256 = sha256;
    now.size = local.size;
    now.unverified = !plan_.files[file].expected.is_verified;
    return now;
  }

  // also: the digest of what takes its place
  tier::put_aside set_aside(
      size_t file, size_t place, const string& why, const string& also = string()) {
    vector<string> known;
    const auto add = [&known](const string& sha256) {
      if (!sha256.empty()) {
        known.push_back(sha256);
      }
    };
    add(now_.wanted[file].pin);
    add(plan::local_of(now_, file).said.sha256);
    for (const plan::lasting_tier& one : now_.lasting) {
      add(one.has.files[file].said.sha256);
    }
    add(also);
    tier::put_aside moved = tier_of(place).set_aside(file_in(file, place), why, known, who_);
    if (!moved.name.empty()) {
      asides_.push_back({file, place, moved.name});
    }
    return moved;
  }

  // ---- bring: what is missing, all of it before any gets its name

  using arrivals = list<arrival>;

  status bring() {
    if (plan_.keeps_all()) return {};

    for (plan::file_facts& known : now_.facts) {
      known.is_put_together = false;
      for (plan::copy_facts& copy : known.copies) {
        copy.is_unusable = false;
      }
    }
    plan_ = plan::plan(now_);
    VQCACHE_NEED_(can_be_reached());

    const bool is_all_held = !plan_.downloads_any();
    if (is_all_held) {
      who_.say({"The model (", name_, ") is available in the cache, copying locally."});
    } else {
      tell_downloading();
    }
    is_announced_ = true;

    arrivals files(size());
    for (size_t file = 0; file < size(); ++file) {
      VQCACHE_NEED_(gather(file, is_all_held, files[file]));
    }
    VQCACHE_NEED_(can_be_reached());
    VQCACHE_NEED_(fetch(files, is_all_held));

    inspect();
    // where the lock lies, another call may have been faster: its set stands, ours goes
    if (!has_all_with_receipts()) {
      VQCACHE_NEED_(publish(files));
    }
    inspect();
    return {};
  }

  status can_be_reached() {
    const bool lacks_source = plan_.unreachable.is == plan::obstacle::no_source;
    if (lacks_source && downloads_ == downloads::as_needed) {
      (void)take_sources_of_receipts();
      plan_ = plan::plan(now_);
    }
    return failure_of(plan_.unreachable);
  }

  void tell_downloading() {
    if (!keeps_copy()) {
      return who_.say({"The model (", name_, ") was not found, downloading."});
    }
    who_.say({"The model (", name_, ") was not found, downloading and caching."});
  }

  // What a tier has of it: it is kept, or restored.
  status gather(size_t file, bool is_all_held, arrival& to) {
    const plan::file_plan now = plan_.files[file];
    to.entry.file = now_.wanted[file].name;
    mirrors_[file] = mirror();
    if (is_all_held) {
      if (const tier::stored_file* copy = plan::first_with_receipt(now_, file)) {
        tell_origin(file, copy->said);
      }
    }

    if (now.local == plan::local_step::keep) {
      if (now.is_unvouched) {
        tell_unverified(file);
      }
      to.is_here = true;
      return vouch(file, to.entry);
    }
    for (const plan::restorable& copy : now.sources) {
      VQCACHE_NEED_(restore(file, copy, to));
      if (to.is_here) return {};
      now_.facts[file].copies[copy.place].is_unusable = true;
    }
    if (salvages_) {
      VQCACHE_NEED_(put_together(file, to));
    }
    if (!now.sources.empty()) {
      plan_ = plan::plan(now_);
    }
    return {};
  }

  // ---- put together: what damaged files hold of a file, by the checksums of its blocks

  struct removed {  // a damaged file that this call has put aside
    size_t file = 0, place = 0;
    string name{};
  };

  // Nothing of it can fail the call: what does not come so is downloaded.
  status put_together(size_t file, arrival& to) {
    const string sha256 = plan::expected_of_download(now_, file).sha256;
    const formats::entry* const said = with_blocks(file, sha256);
    if (!said) return {};
    const fs::path path = local_path(file);
    if (!partial::has_room(path.parent_path(), said->size, 0).ok()) return {};

    auto part = box<partial::partial_file>(new partial::partial_file());
    const partial::content what{
        now_.wanted[file].kind, partial::judged_by::digest, partial::block_sums::kept};
    if (!part->create(path, what).ok()) return {};
    partial::salvage all(*said, *part);
    const status taken = salvage_all(file, all);
    if (who_.stopped()) return who_.stop();

    const formats::identity id{sha256, {}, {}, said->size};
    bool is_useful = taken.ok() && all.has_any();
    is_useful = is_useful && !has_begun_with_more(path, id, all.size());
    if (!is_useful || !all.give(id).ok()) {
      part->drop();
      return {};
    }
    if (!all.is_whole()) {
      return leave_salvage(file, *said, all, *part);
    }
    return seal_salvage(file, *said, std::move(part), to);
  }

  // What the receipts say of this very file, if one tells the checksums of its blocks.
  const formats::entry* with_blocks(size_t file, const string& sha256) const {
    const formats::entry* found = &plan::local_of(now_, file).said;
    const auto fits = [&sha256](const formats::entry& said) {
      return !sha256.empty() && said.sha256 == sha256 && formats::has_blocks(said);
    };
    for (const plan::lasting_tier& one : now_.lasting) {
      if (!fits(*found)) {
        found = &one.has.files[file].said;
      }
    }
    return fits(*found) ? found : nullptr;
  }

  status salvage_all(size_t file, partial::salvage& all) {
    for (size_t n = 0; n <= lasting_.size() && !all.is_whole(); ++n) {
      const size_t place = n == 0 ? plan::in_local : n - 1;
      VQCACHE_NEED_(salvage_from(place, now_.wanted[file].name, all));
    }
    for (const removed& one : asides_) {
      if (one.file == file && !all.is_whole()) {
        VQCACHE_NEED_(salvage_from(one.place, one.name, all));
      }
    }
    return {};
  }

  status salvage_from(size_t place, const string& name, partial::salvage& all) {
    if (!tier_of(place).can().has_paths) return {};
    const tier::file_place at = tier_of(place).place_of(name);
    return all.take_from(at.path, at.how, who_);
  }

  // Whether an earlier call has left more of it.
  static bool has_begun_with_more(
      const fs::path& path, const formats::identity& id, uint64_t bytes) {
    const journal::beginnings begun = journal::beginnings_of(path);
    for (const journal::unfinished& one : begun.all) {
      if (one.bytes > bytes && journal::is_to_continue(one, id)) return true;
    }
    return false;
  }

  status seal_salvage(
      size_t file, const formats::entry& said, box<partial::partial_file> part, arrival& to) {
    partial::demand want = demand_of(file, plan::expected_of_download(now_, file));
    want.size = said.size;
    const string name = to.entry.file;
    const status sealed = part->seal(want, &who_);
    if (who_.stopped()) return who_.stop();
    if (!sealed.ok()) {
      who_.warn({"The blocks of ", name, " are right by their checksums, but ", sealed.text, "."});
      part->drop();
      return {};
    }

    who_.say({"Damaged files hold all ", said.blocks.size(), " blocks of ", name,
        " between them; nothing of it is fetched."});
    to.entry = said;
    to.entry.file = name;
    to.sink = box<tier::directory_sink>(new tier::directory_sink(std::move(part)));
    to.is_here = true;
    now_.facts[file].is_put_together = true;
    return {};
  }

  // As what an earlier call has brought: then the download asks for the rest.
  status leave_salvage(size_t file, const formats::entry& said, const partial::salvage& all,
      partial::partial_file& part) {
    const vector<string>& urls = now_.wanted[file].from.urls;
    const bool can_fetch_parts =
        !who_.opts().fetch && !urls.empty() && urls::local_path(urls[0]).empty();
    if (!can_fetch_parts) {
      part.drop();
      return {};
    }
    if (part.release() > 0) {
      who_.say({"Fetching ", all.missing_blocks(), " of ", said.blocks.size(), " blocks of ",
          now_.wanted[file].name, "; the others are here."});
    }
    return {};
  }

  // What a receipt says of a file that had none.
  status vouch(size_t file, formats::entry& entry) {
    const tier::stored_file& local = plan::local_of(now_, file);
    if (local.has_receipt()) {
      entry = local.said;
      return {};
    }
    tier::digest_of_file read = tier::digest_of(*local_, local, who_);
    VQCACHE_NEED_(read.problem);
    now_.facts[file].digest = read.sha256;
    entry = {local.name, std::move(read.sha256), {}, {}, local.size, true};
    return {};
  }

  status restore(size_t file, const plan::restorable& copy, arrival& to) {
    unused_copy unused;
    VQCACHE_NEED_(restore_once(file, copy, to, unused));
    const string sha256 = plan::expected_of(now_, file, copy.place).sha256;
    if (to.is_here || sha256.empty() || who_.stopped()) {
      return who_.stop();
    }

    // what was put aside may be right: then what stands in its place makes way
    tier::tier& in = tier_of(copy.place);
    const bool stands = !unused.why.empty();
    if (stands && !in.find_aside(file_in(file, copy.place), sha256, string(), who_).empty()) {
      tier::put_aside moved = set_aside(file, copy.place, unused.why, sha256);
      VQCACHE_NEED_(moved.problem);
      unused.aside = std::move(moved.name);
    }
    if (unused.aside.empty() || !take_back(file, copy.place, sha256, unused.aside)) {
      return who_.stop();
    }

    now_.lasting[copy.place].has = in.inspect();
    return restore_once(file, plan::restorable_of(now_, file, copy.place), to, unused);
  }

  // Its problem is one of the local disk, or the end of the call; what is wrong with the copy is
  // said, and noted.
  status restore_once(size_t file, const plan::restorable& copy, arrival& to, unused_copy& unused) {
    const plan::expectation want = plan::expected_of(now_, file, copy.place);
    const tier::stored_file& there = file_in(file, copy.place);
    tier::copied result{copy.fault, copy.is_unreadable};
    unused = unused_copy();
    to.sink = nullptr;
    if (copy.fault.ok()) {
      tier::begun begun = begin_local(file, want);
      VQCACHE_NEED_(begun.problem);
      to.sink = std::move(begun.sink);
      result = tier::copy_and_seal(
          tier_of(copy.place), there, *to.sink, who_, phase::restoring, demand_of(file, want));
      if (who_.stopped()) return who_.stop();
    }

    const bool is_slow = result.problem.code == errc::timed_out;
    const bool is_unreadable = result.is_of_source || is_slow;
    if (copy.fault.ok() && result.problem.cause && !is_unreadable) {
      return result.problem;
    }

    note_what_was_read(file, copy.place, to, is_unreadable && !is_slow);
    to.is_here = result.problem.ok();
    if (!to.is_here) {
      return leave_unused(file, copy.place, result.problem, is_unreadable, to, unused);
    }

    if (there.has_receipt()) {
      to.entry = there.said;
    }
    to.entry.file = there.name;
    to.entry.sha256 = to.sink->sha256();
    to.entry.size = to.sink->size();
    to.entry.unverified = !want.is_verified;
    if (to.entry.unverified) {
      tell_unverified(file);
    }
    return {};
  }

  tier::begun begin_local(size_t file, const plan::expectation& want) {
    const plan::wanted_file& wanted = now_.wanted[file];
    return local_->write({wanted.name, wanted.kind, want.size, !want.sha256.empty()});
  }

  void note_what_was_read(size_t file, size_t place, const arrival& to, bool is_unreadable) {
    optional<string>& digest = now_.facts[file].copies[place].digest;
    digest.reset();
    if (is_unreadable) {
      digest = string();
    } else if (to.sink && !to.sink->sha256().empty()) {
      digest = to.sink->sha256();
    }
  }

  status leave_unused(size_t file, size_t place, const status& why, bool is_unreadable, arrival& to,
      unused_copy& unused) {
    const tier::stored_file& there = file_in(file, place);
    const optional<string>& read = now_.facts[file].copies[place].digest;
    to.sink = nullptr;  // first of all: its bytes are of no use
    // not damaged, but another model's
    const bool is_of_another = there.is_vouched_for() && read && there.is_said_to_be(*read);
    if (is_of_another) {
      who_.warn({"The cache holds another ", there.name, " than the local receipt; it stays."});
      return {};
    }

    lost_ +=
        join({"; the copy in ", tier_of(place).description(), " could not be used: ", why.text});
    if (!there.is_vouched_for() && is_judged(why)) {  // it stands till it is replaced
      unused.why = why.text;
      who_.warn({"The cached ", there.name, " is not used: ", why.text, "."});
      return {};
    }
    if (is_unreadable || !now_.lasting[place].has.receipt_problem.ok()) {
      who_.say_failed({"The cache cannot be read: ", why.text, "."});
      return {};
    }
    tier::put_aside moved = set_aside(file, place, why.text);
    unused.aside = std::move(moved.name);
    if (!moved.problem.ok()) {
      who_.warn({"The cached ", there.name, " is damaged (", why.text,
          "), but stays: ", moved.problem.text, "."});
    }
    return {};
  }

  static bool is_judged(const status& why) {  // by its bytes
    const bool is_of_bytes = why.code == errc::hash_mismatch || why.code == errc::not_the_file
        || why.code == errc::truncated;
    return is_of_bytes && !why.cause;
  }

  // ---- download

  status fetch(arrivals& files, bool was_all_held) {
    list<download::target> targets;
    const optional<vector<string>> begun = local_->unfinished();
    for (size_t file = 0; file < size(); ++file) {
      if (files[file].is_here) continue;
      targets.push_back(target_of(file));
      const string& name = now_.wanted[file].name;
      targets.back().may_be_begun =
          !begun || std::find(begun->begin(), begun->end(), name) != begun->end();
    }
    if (was_all_held && !targets.empty()) {
      who_.say_failed({"It could not be restored whole, downloading."});
    }
    from_ = targets.empty() ? origin::cache : origin::network;

    status brought = download::fetch(targets, who_);
    if (!brought.ok()) {
      brought.text += lost_;
    }
    VQCACHE_NEED_(brought);
    for (download::target& one : targets) {
      take(one, files[one.item]);
    }
    return {};
  }

  download::target target_of(size_t file) {
    const plan::wanted_file& wanted = now_.wanted[file];
    const plan::expectation expected = plan::expected_of_download(now_, file);
    partial::demand want = demand_of(file, expected);
    want.size = expected.size.value_or(0);
    mirrors_[file] = mirror_of(file);
    return {file, &wanted.from, want, local_path(file), mirrors_[file].copy.get()};
  }

  // The first lasting tier that lacks the file gets its copy while the file arrives, if the kernel
  // and a thread can write there.
  mirror mirror_of(size_t file) const {
    for (size_t place = 0; place < lasting_.size(); ++place) {
      const bool lacks = plan_.copies[place].files[file].step == plan::copy_step::store;
      const bool may_be_read = now_.lasting[place].has.receipt_problem.ok();
      if (!lacks || !may_be_read || !now_.lasting[place].can.has_paths) {
        continue;
      }
      const plan::wanted_file& wanted = now_.wanted[file];
      const fs::path path = tier_of(place).place_of(wanted.name).path;
      return {place, box<partial::trailing_copy>(new partial::trailing_copy(path, wanted.kind))};
    }
    return {};
  }

  void take(download::target& one, arrival& to) {
    formats::entry entry;
    entry.file = to.entry.file;
    entry.sha256 = one.to->sha256();
    entry.origin = one.got;
    entry.address = one.address;
    entry.etag = one.etag;
    entry.size = one.to->size();
    entry.unverified = one.is_unsized;
    entry.declared = one.declared;
    entry.blocks = one.to->blocks();
    if (one.is_unsized) {
      who_.warn({"Nothing vouches for the end of ", entry.file, ": ", one.got, " told no length."});
    }
    if (one.copy) {
      one.copy->sha256 = entry.sha256;
    }
    to.entry = std::move(entry);
    to.sink = box<tier::directory_sink>(new tier::directory_sink(std::move(one.to)));
    to.is_here = true;
  }

  bool has_all_with_receipts() const { return plan_.keeps_all() && has_all_receipts(); }

  bool has_all_receipts() const {
    for (const tier::stored_file& one : now_.local.files) {
      if (!one.has_receipt()) return false;
    }
    return true;
  }

  status publish(arrivals& files) {
    tier::sinks sinks;
    formats::receipt now;
    for (size_t file = 0; file < size(); ++file) {
      VQCACHE_NEED_(make_way(file, files[file]));
      now.push_back(files[file].entry);
      if (files[file].sink) {
        sinks.push_back(files[file].sink.get());
      }
    }
    status published = local_->commit(sinks, now);
    if (!published.ok()) {
      published.text += keep_for_next_call(files);
    }
    return published;
  }

  // What stands under the name and is no such file is put aside when its replacement is complete.
  status make_way(size_t file, const arrival& by) {
    const tier::stored_file& local = plan::local_of(now_, file);
    const bool is_good = plan_.files[file].local == plan::local_step::keep;
    if (is_good || !by.sink || !local.is_regular()) return {};
    const string why = plan_.files[file].local_wrong;
    now_.facts[file].wrong.clear();
    return set_aside(file, plan::in_local, why, by.sink->sha256()).problem;
  }

  static string keep_for_next_call(arrivals& files) {
    download::remains behind;
    for (const arrival& one : files) {
      partial::partial_file* const part = one.sink ? one.sink->as_file() : nullptr;
      const uint64_t size = part ? part->release() : 0;
      if (size > 0) {
        behind.keep(one.entry.file, size);
      }
    }
    return behind.words();
  }

  // ---- store

  // true: a local file was damaged, and all is to be done again.
  bool store_all() {
    bool is_all_stored = true;
    for (size_t place = 0; place < lasting_.size(); ++place) {
      if (plan_.copies[place].is_complete) continue;
      if (cannot_be_written(plan_.copies[place])) {
        is_all_stored = false;
        continue;
      }
      stored result;
      const status s = error::contain([&] {
        result = store(place);
        return result.problem;
      });
      is_cached_ = s.ok();
      if (result.is_local_damaged) return true;
      is_all_stored = is_all_stored && is_cached_;
      if (is_cached_) continue;
      who_.go_on();  // the local files are complete: no error
      tell_not_cached(s);
    }
    is_cached_ = is_all_stored && keeps_copy();
    return false;
  }

  struct shipment {               // to one lasting tier
    box<tier::byte_sink> sink{};  // null: what is there stays
    formats::entry entry{};
    bool is_clone = false;
  };

  stored store(size_t place) {
    stored result{failure_of(plan_.copies[place].in_way), false};
    if (!result.problem.ok()) return result;
    tell_storing(place);
    result.problem = tier_of(place).make_ready();

    list<shipment> files(size());
    for (size_t file = 0; file < size() && result.problem.ok(); ++file) {
      result = store_file(file, place, files[file]);
    }
    if (result.problem.ok()) {
      result.problem = commit(place, files);
    }
    if (result.problem.ok()) {
      tell_clones(files);
    }
    return result;
  }

  void tell_clones(const list<shipment>& files) {
    for (const shipment& one : files) {
      if (!one.is_clone) continue;
      who_.say({"The copy of the model (", name_,
          ") is a clone: it costs no room, and dies with this disk."});
      return;
    }
  }

  void tell_storing(size_t place) {
    uint64_t bytes = 0;
    for (size_t file = 0; file < size(); ++file) {
      if (!plan::is_stored(now_, file, place)) {
        bytes += plan::local_of(now_, file).size;
      }
    }
    if (bytes >= told_from) {
      who_.say({"The model (", name_, ") is ready locally; storing it in the cache."});
    }
  }

  // What stands there stays if it is the same: as read a moment ago, by its receipt, or hashed.
  stored store_file(size_t file, size_t place, shipment& to) {
    status vouched = vouch(file, to.entry);
    if (!vouched.ok()) return {std::move(vouched), false};

    plan::copy_plan now = plan::plan_copy(now_, file, place);
    if (now.step == plan::copy_step::verify) {
      const tier::digest_of_file read = tier::digest_of(tier_of(place), file_in(file, place), who_);
      if (!read.problem.ok()) return {read.problem, false};
      now_.facts[file].copies[place].digest = read.sha256;
      now = plan::plan_copy(now_, file, place);
    }
    if (now.step == plan::copy_step::keep) return {};
    if (is_mirrored(file, place, to.entry.sha256)) return {finish_mirror(file, to), false};
    return copy_local_file(file, place, now.is_doubted, to);
  }

  bool is_mirrored(size_t file, size_t place, const string& sha256) const {
    const mirror& one = mirrors_[file];
    return one.copy && one.place == place && one.copy->has_begun() && one.copy->sha256 == sha256;
  }

  status finish_mirror(size_t file, shipment& to) {
    partial::trailing_copy& copy = *mirrors_[file].copy;
    to.sink = box<tier::directory_sink>(new tier::directory_sink(copy.to));
    return copy.wait(plan::local_of(now_, file).size, who_);
  }

  stored copy_local_file(size_t file, size_t place, bool is_doubted, shipment& to) {
    const plan::wanted_file& wanted = now_.wanted[file];
    const tier::stored_file& local = plan::local_of(now_, file);
    tier::tier& lasting = tier_of(place);
    // where the kernel copies, partial::copy_and_seal() asks for itself
    status ready = now_.lasting[place].can.has_paths ? status() : lasting.room_for(local.size);
    if (!ready.ok()) return {std::move(ready), false};
    tier::begun begun = lasting.write({wanted.name, wanted.kind, local.size, true});
    if (!begun.problem.ok()) return {std::move(begun.problem), false};
    to.sink = std::move(begun.sink);

    const partial::demand want{wanted.kind, to.entry.sha256, "the local receipt", true, is_doubted};
    const tier::copied done =
        tier::copy_and_seal(*local_, local, *to.sink, who_, phase::storing, want);
    to.is_clone = done.is_clone;
    stored result{done.problem, false};
    result.is_local_damaged = is_judged(result.problem) && local.has_receipt();
    if (result.is_local_damaged) {
      const status moved = set_aside(file, plan::in_local, result.problem.text).problem;
      result.problem = moved.ok() ? result.problem : moved;
    }
    if (is_doubted && !result.problem.ok()) {
      result.problem.text = join({shown(file, plan::in_local), " differs from ", shown(file, place),
          ", and ", result.problem.text});
    }
    return result;
  }

  status commit(size_t place, const list<shipment>& files) {
    tier::sinks sinks;
    formats::receipt now;
    for (size_t file = 0; file < size(); ++file) {
      const shipment& one = files[file];
      now.push_back(one.entry);
      if (!one.sink) continue;
      sinks.push_back(one.sink.get());
      if (!file_in(file, place).stands()) continue;
      VQCACHE_NEED_(
          set_aside(file, place, "it is not the local file, or not readable", one.entry.sha256)
              .problem);
    }
    VQCACHE_NEED_(tier_of(place).commit(sinks, now));

    // a notebook's files get their receipt, if they can, when they are hashed anyway
    if (!has_all_receipts()) {
      (void)local_->renew_receipt(now);
    }
    return {};
  }

  caller who_;
  string name_{};
  box<tier::directory_tier> local_{};  // a user gets its paths
  tiers lasting_{};
  plan::situation now_{};
  plan::call_plan plan_{};
  list<mirror> mirrors_{};  // of each file
  os::mode local_mode_ = os::mode::link;
  os::file lock_{};
  string lost_{};  // what an error says of a copy that could not be used
  origin from_ = origin::local;
  bool has_one_place_ = false;  // local_dir and cache_dir are one directory: no copy is kept
  bool is_cached_ = false, is_announced_ = false;
  downloads downloads_;
  bool salvages_ = false;  // repair: blocks of damaged files are not fetched again
  list<removed> asides_{};
};

// The whole of a call: every error says which model it is about, also one of an exception
template <class F>
inline status contained(const string& name, const F& f) noexcept {
  const os::held_cancel until_the_end;
  status s = error::contain([&f] {
    (void)error::ready();  // while there is memory
    return f();
  });
  if (s.ok()) return s;
  (void)error::attempt(
      [&] { s.text = strings::readable(join({"model '", name.substr(0, 120), "': ", s.text})); });
  return s;
}
}  // namespace call

// ==== >>sets ==== the files of a call: those of a VQGAN, those that are given, those held ====
//
// Here belongs what a name and sources mean: which files there are, of which kinds, and how they
// lie in a tier. It uses >>catalog, >>plan, >>tier and >>call, which carries them out.

namespace sets {
// What makes a set of files a VQGAN: a config and a checkpoint, in this order. Only the catalogue
// and what stands here know of that.
namespace vqgan {
inline list<plan::wanted_file> files_of(const string& name) {
  list<plan::wanted_file> files(2);
  files[0].name = name + catalog::endings[0];
  files[0].kind = sniff::kind::text;
  files[1].name = name + catalog::endings[1];
  return files;
}

inline constexpr const char* roles[] = {"config", "checkpoint"};

using rows = list<const catalog::row*>;

inline status open(call::call& one, const string& name) {
  return one.open(name, files_of(name), tier::layout::flat);
}

// The names of the catalogue that are like this one, or else are not.
inline string listed(const string& name, bool is_alike) {
  string list;
  for (const catalog::row& row : catalog::all) {
    const vector<string> names = strings::words(strings::lower(join({row.name, " ", row.aliases})));
    bool is_like_one = false;
    for (const string& one : names) {
      is_like_one = is_like_one || strings::are_alike(strings::lower(name), one);
    }
    if (is_like_one == is_alike) {
      list += join({list.empty() ? "" : ", ", row.name});
    }
  }
  return list;
}

inline string hint(const string& name, const rows& meant) {
  string candidates;
  for (const catalog::row* row : meant) {
    candidates += join({candidates.empty() ? "" : " or ", row->name});
  }
  if (!meant.empty()) {
    return ", and the name is ambiguous: say " + candidates;
  }

  const string alike = listed(name, true), others = listed(name, false);
  const string unlisted = ", and the catalogue does not list it; ";
  return alike.empty() ? unlisted + "known are " + others
                       : unlisted + "did you mean " + alike + "?";
}

inline status unknown(const call::call& one, const rows& meant) {
  return fail(errc::unknown_model,
      {one.places(), " holds both files of ", one.name(), hint(one.name(), meant),
          "; or give its URLs"});
}

inline status take_given(call::call& one, const source* const given[2]) {
  for (size_t file = 0; file < 2; ++file) {
    VQCACHE_NEED_(one.take_source(file, *given[file], roles[file], true));
  }
  return {};
}

inline status take_listed(call::call& one, const catalog::row& row) {
  for (size_t file = 0; file < 2; ++file) {
    VQCACHE_NEED_(one.take_source(
        file, catalog::sources(row, file == 0), files_of(one.name())[file].name, false));
  }
  return {};
}

// Without sources: what a tier holds under this very name, else what the catalogue knows it as,
// else where a receipt says that it came from.
inline status find(call::call& one, const string& called) {
  const rows meant = catalog::find(called);
  const bool is_listed = meant.size() == 1;
  if (one.count_held() < one.size()) {
    const bool is_known = is_listed || one.take_sources_of_receipts();
    if (!is_known) return unknown(one, meant);
    if (is_listed) {
      VQCACHE_NEED_(open(one, meant[0]->name));
    }
  }
  return is_listed ? take_listed(one, *meant[0]) : status();
}

inline status bring(
    const string& called, const source* const given[2], const options& opts, model& found) {
  call::call one(opts);
  VQCACHE_NEED_(checks::check_call(opts));
  VQCACHE_NEED_(open(one, called));
  VQCACHE_NEED_(given[0] ? take_given(one, given) : find(one, called));
  VQCACHE_NEED_(one.download());
  found = {one.name(), one.local_path(0), one.local_path(1), one.from(), one.is_cached(),
      {one.local_path(0), one.local_path(1)}};
  return {};
}

inline status download(const string& name, const source* config, const source* checkpoint,
    const options& opts, model& found) {
  const source* const given[2] = {config, checkpoint};
  return call::contained(name, [&] { return bring(name, given, opts, found); });
}

}  // namespace vqgan

inline sniff::kind kind_of(const string& name, const string& file) {
  if (file == name + catalog::endings[0]) {
    return sniff::kind::text;
  }
  if (strings::ends_with(file, catalog::endings[1])) {
    return sniff::kind::binary;
  }
  return sniff::kind_of(file);
}

inline list<plan::wanted_file> wanted(const string& name, const vector<string>& files) {
  list<plan::wanted_file> all(files.size());
  for (size_t i = 0; i < files.size(); ++i) {
    all[i].name = files[i];
    all[i].kind = kind_of(name, files[i]);
  }
  return all;
}

inline status open(call::call& one, const string& name, const vector<string>& files) {
  return one.open(name, wanted(name, files), tier::layout_of(name, files));
}

inline status carry_out(call::call& one, model& found) {
  VQCACHE_NEED_(one.download());
  found.name = one.name();
  found.from = one.from();
  found.cached = one.is_cached();
  for (size_t file = 0; file < one.size(); ++file) {
    found.files.push_back(one.local_path(file));
  }
  return {};
}

inline status bring(
    const string& name, const std::vector<named_source>& files, const options& opts, model& found) {
  vector<string> names;
  names.reserve(files.size());
  for (const named_source& file : files) {
    names.push_back(file.file);
  }

  call::call one(opts);
  VQCACHE_NEED_(checks::check_call(opts));
  VQCACHE_NEED_(open(one, name, names));
  for (size_t file = 0; file < files.size(); ++file) {
    VQCACHE_NEED_(one.take_source(file, files[file].from, names[file], true));
  }
  return carry_out(one, found);
}

// Opened for what its receipts name; errc::unknown_model: they name nothing.
inline status open_held(call::call& one, const string& name) {
  VQCACHE_NEED_(checks::check_call(one.opts()));
  result_of<tier::held_set> held = one.held(name, call::call::unreadable::is_failure);
  VQCACHE_NEED_(held.why());
  if (held->files.empty()) {
    VQCACHE_NEED_(open(one, name, {name}));  // a name that cannot be used is told
    return fail(errc::unknown_model,
        {one.places(), " has a receipt of ", name, "; it has to be downloaded first"});
  }
  return one.open(name, wanted(name, held->files), held->how);
}

inline status restore(const string& name, const options& opts, model& found) {
  call::call one(opts, call::downloads::never);
  VQCACHE_NEED_(open_held(one, name));
  return carry_out(one, found);
}

inline bool has_nothing(call::call& one) {
  return one.count_held() == 0 && !one.has_leftovers();
}

// A pair, and what else a receipt names: of a pair it may name one file, or more than both.
inline vector<string> pair_and(const string& name, const vector<string>& held) {
  vector<string> files;
  files.push_back(name + catalog::endings[0]);
  files.push_back(name + catalog::endings[1]);
  for (const string& file : held) {
    if (std::find(files.begin(), files.end(), file) == files.end()) {
      files.push_back(file);
    }
  }
  return files;
}

inline status open_published(call::call& one, const string& name) {
  const vqgan::rows meant = catalog::find(name);
  const bool is_alias = meant.size() == 1;
  return vqgan::open(one, is_alias ? string(meant[0]->name) : name);
}

// What its receipts name. Without one: a notebook's pair, or what interrupted calls have left, or
// the published model that has it as an alias.
inline status find_any(call::call& one, const string& name) {
  result_of<tier::held_set> held = one.held(name, call::call::unreadable::is_nothing);
  VQCACHE_NEED_(held.why());
  const vector<string> itself{name};
  const bool may_be_pair = held->how == tier::layout::flat && held->files != itself;
  if (!may_be_pair) {
    return one.open(name, wanted(name, held->files), held->how);
  }

  VQCACHE_NEED_(one.open(name, wanted(name, pair_and(name, held->files)), tier::layout::flat));
  if (!has_nothing(one)) return {};

  for (const tier::layout how : {tier::layout::flat, tier::layout::folder}) {
    VQCACHE_NEED_(one.open(name, wanted(name, itself), how));
    if (!has_nothing(one)) return {};
  }
  return open_published(one, name);
}

inline bool is_pair(const call::call& one) {
  return one.size() == 2 && one.wanted(0).name == one.name() + catalog::endings[0]
      && one.wanted(1).name == one.name() + catalog::endings[1];
}

// The same, with the sources that are known of it. Of what nobody knows it says what a call says.
inline status find_known(call::call& one, const string& name) {
  VQCACHE_NEED_(find_any(one, name));
  const vqgan::rows meant = catalog::find(name);
  const bool is_listed = meant.size() == 1;
  const size_t held = one.count_held();
  if (held == 0 && !one.has_receipt() && !is_listed) {
    VQCACHE_NEED_(vqgan::open(one, name));
    return vqgan::unknown(one, meant);
  }
  if (!is_listed || !is_pair(one)) return {};

  const bool is_alias = one.name() != meant[0]->name;
  if (is_alias && held < one.size()) {
    VQCACHE_NEED_(vqgan::open(one, meant[0]->name));
  }
  return vqgan::take_listed(one, *meant[0]);
}

// ---- the whole calls: an error says which model it is about

inline status download(
    const string& name, const std::vector<named_source>& files, const options& opts, model& found) {
  return call::contained(name, [&] { return bring(name, files, opts, found); });
}

inline status download_file(
    const string& name, const source& from, const options& opts, model& found) {
  return call::contained(
      name, [&] { return bring(name, std::vector<named_source>{{name, from}}, opts, found); });
}

inline status restore_model(const string& name, const options& opts, model& found) {
  return call::contained(name, [&] { return restore(name, opts, found); });
}

}  // namespace sets

// ==== >>upkeep ==== what the tiers hold: listed, read, mended, removed ====
//
// Here belongs what is done with models that are held. A list reads no file but receipts: one open
// and read for each, one look at each file, and none of it is a use of the model. It uses >>tier,
// >>call, >>sets, and to ask a URL >>transport and >>connection.
namespace upkeep {
inline void add_name(vector<string>& names, const string& name) {
  if (strings::name_problem(name).empty()) {
    names.push_back(name);
  }
}

inline bool has(const vector<string>& sorted, const string& name) {
  return std::binary_search(sorted.begin(), sorted.end(), name);
}

// Of receipts, and of pairs that a notebook has left without one.
inline void add_names_of_local(const vector<string>& listed, vector<string>& names) {
  constexpr std::string_view receipt = ".sha256";
  const std::string_view last = catalog::endings[1];
  for (const string& file : listed) {
    const bool is_receipt = strings::ends_with(file, receipt);
    const bool is_of_pair = strings::ends_with(file, last);
    if (!is_receipt && !is_of_pair) continue;

    const string name = file.substr(0, file.size() - (is_receipt ? receipt : last).size());
    if (is_receipt || has(listed, name + catalog::endings[0])) {
      add_name(names, name);
    }
  }
}

inline vector<string> sorted_list(const fs::path& directory) {
  vector<string> names = os::list(directory, "");
  std::sort(names.begin(), names.end());
  return names;
}

inline string receipt_in(const fs::path& directory, const string& name, os::mode how) {
  string text;  // what cannot be read is as if it were not there
  (void)os::read_text(directory / (name + ".sha256"), text, how, formats::largest_receipt);
  return text;
}

inline bool fits(const os::info& found, const formats::entry* said, uint64_t& size) {
  if (!found.regular) return false;
  size = size == 0 ? found.size : size;
  return !said || said->size == 0 || said->size == found.size;
}

struct shelved {  // a model, and what concerns its local files alone
  held_model as{};
  uint64_t local_bytes = 0;
  int64_t last_used = 0;  // by the receipt, or else by the files
};

class inventory {
 public:
  explicit inventory(const options& o)
      : local_(call::directory(o, true)),
        lasting_(o.keep_copy ? call::lasting_directory(o) : fs::path()) {}

  list<shelved> all() const {
    const vector<string> listed = sorted_list(local_);
    vector<string> names;
    add_names_of_local(listed, names);
    if (!lasting_.empty()) {
      for (const string& name : os::list(lasting_, "")) {
        add_name(names, name);
      }
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());

    list<shelved> found;
    for (const string& name : names) {
      shelved one = look(name, has(listed, name + ".sha256"));
      if (!one.as.files.empty()) {
        found.push_back(std::move(one));
      }
    }
    return found;
  }

 private:
  shelved look(const string& name, bool has_local_receipt) const {
    const fs::path copies = lasting_ / name;
    const string here = has_local_receipt ? receipt_in(local_, name, os::mode::glance) : string();
    const string there = lasting_.empty() ? string() : receipt_in(copies, name, os::mode::read);
    const formats::receipt local = formats::read_receipt(here);
    const formats::receipt lasting = formats::read_receipt(there);

    shelved found;
    held_model& one = found.as;
    one.name = name;
    one.stored = formats::date_of(here.empty() ? there : here);
    if (has_local_receipt) {
      one.last_used = os::last_used(local_ / (name + ".sha256"));
    }
    found.last_used = one.last_used;

    tier::held_set set = tier::held_by(name, local, lasting);
    const bool is_pair = set.files.empty();
    if (is_pair) {
      set.files = sets::pair_and(name, {});
    }
    const bool has_folder = set.how == tier::layout::folder;
    const string folder = has_folder ? name + "/" : string();
    for (const string& file : set.files) {
      const formats::entry* ours = formats::find(local, folder + file);
      const formats::entry* copy = formats::find(lasting, file);
      const formats::entry* said = ours ? ours : copy;

      held_file it;
      it.file = file;
      if (said) {
        it.sha256 = said->sha256;
        it.size = said->size;
      }
      it.is_local = look_at_local(local_ / (folder + file), ours, it.size, found);
      it.is_cached = !lasting_.empty() && fits(os::look(copies / file), copy, it.size);
      one.files.push_back(std::move(it));
    }
    if (is_pair && !one.is_local() && !one.is_cached()) {
      one.files.clear();  // a folder of somebody else
    }
    return found;
  }

  static bool look_at_local(
      const fs::path& path, const formats::entry* said, uint64_t& size, shelved& of) {
    const os::info stands = os::look(path);
    const bool has_receipt = of.as.last_used != 0;
    if (stands.regular) {
      of.local_bytes += stands.size;
      of.last_used = has_receipt ? of.last_used : (std::max)(of.last_used, os::last_used(path));
    }
    return fits(stands, said, size);
  }

  fs::path local_, lasting_;
};

inline status list_held(const options& opts, std::vector<held_model>& found) {
  VQCACHE_NEED_(checks::check_options(opts));
  for (shelved& one : inventory(opts).all()) {
    found.push_back(std::move(one.as));
  }
  return {};
}

inline status read_all(const string& name, const options& opts, verification& found) {
  call::call one(opts);
  one.be_no_use();
  VQCACHE_NEED_(sets::open_held(one, name));
  found.name = name;
  return one.read_all(found.files);
}

inline status repair(const string& name, const options& opts, verification& found) {
  {
    call::call one(opts);
    VQCACHE_NEED_(sets::open_held(one, name));
    VQCACHE_NEED_(one.read_all(found.files));
    VQCACHE_NEED_(one.repair(found.files));
  }
  found = verification();
  return read_all(name, opts, found);
}

inline status take_away(const string& name, const options& opts) {
  call::call one(opts);
  VQCACHE_NEED_(checks::check_options(opts));
  VQCACHE_NEED_(sets::find_any(one, name));
  return one.remove();
}

// ---- prune: the local tier makes room

inline bool is_used_before(const shelved& a, const shelved& b) {
  if (a.last_used != b.last_used) {
    return a.last_used < b.last_used;
  }
  return a.as.name < b.as.name;
}

// Models of which the local tier has anything, in the order in which they are to go.
inline list<shelved> local_models(const options& opts) {
  list<shelved> found;
  for (shelved& one : inventory(opts).all()) {
    if (one.local_bytes > 0) {
      found.push_back(std::move(one));
    }
  }
  std::sort(found.begin(), found.end(), is_used_before);
  return found;
}

inline status prune_opened(
    const string& name, const options& opts, bool is_dry_run, pruned_model& to, uint64_t& freed) {
  call::call one(opts);
  one.be_no_use();
  VQCACHE_NEED_(sets::find_any(one, name));
  const uint64_t before = one.local_bytes().value_or(to.bytes);
  to.bytes = before;
  const status done = one.prune(is_dry_run, to);
  uint64_t after = to.is_removed ? 0 : before;
  if (!is_dry_run) {
    after = one.local_bytes().value_or(after);
  }
  freed = before - (std::min)(after, before);
  to.is_removed = after == 0;  // also where what came last has failed
  return done;
}

inline bool is_of_caller(errc e) {  // it ends the whole of it, and not what concerns one model
  return e == errc::cancelled || e == errc::interrupted || e == errc::callback;
}

inline status prune_one(const options& opts, bool is_dry_run, pruned_model& to, pruning& all) {
  uint64_t freed = 0;
  to.why = "the call ended while its copy was read";
  status done =
      call::contained(to.name, [&] { return prune_opened(to.name, opts, is_dry_run, to, freed); });
  all.freed += freed;
  all.left -= (std::min)(freed, all.left);
  if (done.ok() || is_of_caller(done.code)) return done;
  to.why = done.text;
  return {};
}

inline status prune(uint64_t max_bytes, bool is_dry_run, const options& opts, pruning& found) {
  VQCACHE_NEED_(checks::check_options(opts));
  for (const shelved& one : local_models(opts)) {
    found.models.push_back({one.as.name, one.local_bytes, false, "the call ended before"});
    found.left += one.local_bytes;
  }

  const bool is_one_place =
      call::call::is_one_place(call::directory(opts, true), call::lasting_directory(opts));
  for (pruned_model& one : found.models) {
    if (found.left <= max_bytes) {
      one.why = "there is room for it";
    } else if (!opts.keep_copy || is_one_place) {
      one.why = "no copy is kept (options::keep_copy); vqcache::remove takes it away";
    } else {
      VQCACHE_NEED_(prune_one(opts, is_dry_run, one, found));
    }
  }
  return {};
}

// ---- explain: what each URL answers to the question for one byte

class inquiry final : public transport::response_handler {
 public:
  bool on_head(const http::response_head& head) override {
    head_ = head;
    has_answered_ = true;
    return false;
  }

  bool on_body(view) override { return false; }

  bool on_wait() override { return true; }

  void on_end(status why) noexcept override {
    why_ = std::move(why);
    is_over_ = true;
  }

  // ok: an answer came.
  status ask(transport::pump& by, const transport::transfer_request& asked, caller& who,
      const string& file) {
    constexpr int look_every = 50;
    constexpr unsigned patience = 3;  // times as long as any later silence, as of a download
    worker::pace silence{asked.stall_seconds * patience};
    by.start(asked, *this);
    while (!is_over_ && !has_answered_ && who.step(phase::downloading, file, 0, 0)) {
      if (silence.stalled(0)) {
        why_ = fail(errc::timed_out, {"it said nothing in ", silence.limit, " s"});
        break;
      }
      by.run_for(look_every);
    }
    if (!is_over_) {
      by.cancel(*this);
    }
    if (who.stopped()) return who.stop();
    return has_answered_ ? status() : std::move(why_);
  }

  const http::response_head& head() const { return head_; }

 private:
  http::response_head head_{};
  status why_{};
  bool has_answered_ = false, is_over_ = false;
};

inline string said_of(const http::response_head& head, const connection::route& way) {
  uint64_t total = head.code == 200 ? head.content_length.value_or(0) : 0;  // 0: not told
  if (head.code == 206 && head.range) {
    total = head.range->total.value_or(0);
  }
  string text = join({"answered HTTP ", head.code});
  if (total != 0) {
    text += join({", ", total, " bytes"});
  }
  if (!head.content_type.empty()) {
    text += ", " + head.content_type;
  }
  if (way.hops > 0) {
    text += join({", after ", way.hops, " redirects, from ", way.host()});
  }
  return text + policy::hint_about(head.code, way.credentials());
}

inline string home_of(const source& from) {
  const optional<urls::url> first = urls::parse_url(from.urls[0]);
  return first ? first->origin() : string();
}

inline connection::route route_to(const string& url, const source& from) {
  connection::route way;
  way.at = urls::parse_url(url).value_or(urls::url());
  way.is_home = way.at.origin() == home_of(from);
  way.has_user = !way.at.user.empty();
  way.has_secret_headers = http::hold_credentials(from.headers);
  return way;
}

// One byte of it, and with options::fetch all: it may not know of ranges.
inline transport::transfer_request request_for_a_byte(
    const string& address, const source& from, const connection::route& way, const options& opts) {
  vector<string> own;
  if (way.is_home) {
    own = from.headers;
  }
  vector<string> lines = http::request_headers({"Accept: */*", "Accept-Encoding: identity"}, own);
  if (!opts.fetch) {
    lines.push_back("Range: bytes=0-0");
  }

  transport::transfer_request asked;
  asked.url = address;
  asked.headers = http::with_cookies(lines, way.jar, way.at);
  asked.connect_seconds = checks::connect_limit(opts);
  asked.stall_seconds = opts.stall_seconds;
  return asked;
}

// Through all redirects: what is said of it.
inline string inquire(
    const string& url, const source& from, transport::pump& by, caller& who, const string& file) {
  const string home = home_of(from);
  connection::route way = route_to(url, from);
  for (string address = url;;) {
    inquiry one;
    const status answered =
        one.ask(by, request_for_a_byte(address, from, way, who.opts()), who, file);
    if (!answered.ok()) {
      return join({"failed: ", answered.text, checks::advice_about(url, answered.code)});
    }
    const http::response_head& head = one.head();
    if (!policy::is_redirect(head.code)) return said_of(head, way);

    for (const string& cookie : head.set_cookies) {
      http::take_cookie(way.jar, way.at, cookie);
    }
    const status next = connection::follow(way, head.location, home);
    if (!next.ok()) return "failed: " + next.text;
    address = way.at.whole();
  }
}

inline string said_of_path(const string& path) {
  const os::info found = os::look(os::resolved(os::to_path(path)));
  if (found.regular) {
    return join({"is there, ", found.size, " bytes"});
  }
  return found.exists ? "is not a regular file" : "is not there";
}

inline void ask_sources(call::call& one, size_t file, transport::pump& by, explained_file& to) {
  const source& from = one.wanted(file).from;
  for (const string& url : from.urls) {
    const string path = urls::local_path(url);
    string said = "was not asked: the call is offline";
    if (!path.empty()) {
      said = said_of_path(path);
    } else if (!one.is_offline()) {
      said = inquire(url, from, by, one.who(), to.file);
    }
    if (one.who().stopped()) return;
    to.why.push_back(strings::readable(
        join({"'", urls::redact(url), "' ", http::scrub(said, url, from.headers)})));
  }
}

inline string summary_of(const explanation& all) {
  if (all.is_hit) return "a hit: all files stand, and nothing is transferred";

  constexpr const char* steps[] = {"use", "hash", "restore", "download", "fail"};
  string text;
  for (const char* const step : steps) {
    size_t count = 0;
    for (const explained_file& one : all.files) {
      if (one.step == step) {
        ++count;
      }
    }
    if (count > 0) {
      text += join({text.empty() ? "" : ", ", step, " ", count});
    }
  }
  const bool uses_all = text == join({"use ", all.files.size()});
  if (uses_all) return "all local files stand, and a copy is to be made";
  return join({"a miss: of ", all.files.size(), " files ", text});
}

inline status explain_known(const string& name, const options& opts, explanation& to) {
  call::call one(opts);
  one.be_no_use();
  VQCACHE_NEED_(checks::check_call(opts));
  VQCACHE_NEED_(sets::find_known(one, name));
  one.explain(to);

  const os::quiet_signals quiet;
  const os::interrupt_guard guard(opts.catch_interrupt);
  one.who().watch([&guard] { return guard.hit(); });
  transport::pump by(one.who());
  for (size_t file = 0; file < one.size(); ++file) {
    explained_file& its = to.files[file];
    if (its.step == "download" || its.step == "fail") {
      ask_sources(one, file, by, its);
    }
    VQCACHE_NEED_(one.who().stop());
  }
  to.summary = summary_of(to);
  return {};
}

// ---- the whole calls: an error says which model it is about

inline status explain(const string& name, const options& opts, explanation& to) {
  return call::contained(name, [&] { return explain_known(name, opts, to); });
}

inline status verify_model(const string& name, const options& opts, verification& found) {
  return call::contained(name, [&] { return read_all(name, opts, found); });
}

inline status repair_model(const string& name, const options& opts, verification& found) {
  return call::contained(name, [&] { return repair(name, opts, found); });
}

inline status list_models(const options& opts, std::vector<held_model>& found) {
  const os::held_cancel until_the_end;
  return error::contain([&] { return list_held(opts, found); });
}

inline status prune_local(
    uint64_t max_bytes, bool is_dry_run, const options& opts, pruning& found) {
  const os::held_cancel until_the_end;
  return error::contain([&] { return prune(max_bytes, is_dry_run, opts, found); });
}

inline status remove_all(const string& name, const options& opts) {
  return call::contained(name, [&] { return take_away(name, opts); });
}
}  // namespace upkeep

// ==== >>doctor ==== what a call would find on this machine, and what to do about it ====
//
// Here belongs what is told of transport, environment and directories. What is looked up or
// measured comes as a struct; what is said of it is for pure functions, which have their tables in
// tests/unit/doctor.cpp. No request is sent, no directory is made, and each file that is made goes.
// It uses >>os, >>process, >>hash, >>transport, >>checks and >>call.
namespace doctor {
using findings = std::vector<finding>;
using text = std::initializer_list<error::piece>;

inline void add(findings& to, const char* about, severity how, text said, const string& advice) {
  to.push_back({about, how, strings::readable(join(said)), strings::readable(advice)});
}

inline void tell(findings& to, const char* about, text said, const string& advice = {}) {
  add(to, about, severity::information, said, advice);
}

inline void warn(findings& to, const char* about, text said, const string& advice) {
  add(to, about, severity::warning, said, advice);
}

inline string words_of(int error) {  // of errno
  return std::generic_category().message(error);
}

inline string advice_for(int error) {
  view advice = error::cause_of(error).advice;
  advice.remove_prefix((std::min)(advice.size(), size_t{2}));  // "; "
  return advice.empty() ? "look at that disk, or choose another directory" : string(advice);
}

// ---- transport, proxy, certificates

struct transport_facts {
  enum class kind { users, library, program };

  kind is = kind::users;
  string version{};                  // as it tells it
  status problem{};                  // why there is none
  string ca_file{}, ca_directory{};  // that libcurl was built with; empty: it does not tell
};

inline bool names_tls(view version) {
  static constexpr const char* all[] = {"openssl", "libressl", "boringssl", "aws-lc", "quictls",
      "gnutls", "nss", "mbedtls", "wolfssl", "bearssl", "rustls", "schannel", "winssl",
      "securetransport"};
  const string known = strings::lower(version);
  for (const char* const one : all) {
    if (strings::contains(known, one)) return true;
  }
  return false;
}

// "curl 7.54.1 (...)": the program lacks options that it is started with. What cannot be read is
// not held against it.
inline bool is_too_old(view version) {
  constexpr uint64_t least_major = 7;
  constexpr uint64_t least_minor = 55;
  strings::take(version, ' ');
  const auto major = strings::parse_number(strings::take(version, '.'));
  const auto minor = strings::parse_number(strings::take(version, '.'));
  if (!major || !minor) return false;
  if (*major != least_major) {
    return *major < least_major;
  }
  return *minor < least_minor;
}

inline constexpr const char* get_a_transport = "install curl or libcurl, or set options::fetch";

inline void say_transport(findings& to, const transport_facts& facts) {
  using kind = transport_facts::kind;
  constexpr const char* about = "transport";
  if (!facts.problem.ok()) {
    return add(to, about, severity::failure, {facts.problem.text}, get_a_transport);
  }
  if (facts.is == kind::users) {
    return tell(to, about, {"options::fetch, which has its own proxy and certificates"});
  }

  const bool is_program = facts.is == kind::program;
  const char* const name = is_program ? "the program curl" : "libcurl";
  if (is_program && is_too_old(facts.version)) {
    return add(to, about, severity::failure, {name, ", which is older than 7.55: ", facts.version},
        get_a_transport);
  }
  if (!facts.version.empty() && !names_tls(facts.version)) {
    return warn(to, about, {name, ", which names no TLS library: ", facts.version},
        "https may not work with it; install another one");
  }
  tell(to, about, {name, facts.version.empty() ? ", which tells no version" : ": ", facts.version});
}

// The first line of what the program tells of itself.
inline status ask_program(string& version) {
  constexpr std::chrono::seconds slowest{5};
  constexpr int step_ms = 100;
  constexpr size_t enough = 65536;
  process::child program;
  const int error = program.start({"curl", "-q", "--version"}, "");
  if (error != 0) return transport::cannot_start(error);

  string said;
  char block[4096];
  const clock::time_point end = clock::now() + slowest;
  while (said.size() < enough && clock::now() < end) {
    process::child::wait({&program}, step_ms);
    const long got = program.read(block, sizeof block);
    if (got == 0) break;
    said.append(block, got < 0 ? 0 : static_cast<size_t>(got));
  }

  view first = said;
  version = strings::trim(strings::take(first, '\n'));
  if (!version.empty()) return {};
  return fail(errc::no_transport, {"the program curl does not tell its version"});
}

// Empty: it does not tell.
inline string told_by(const transport::libcurl& curl, void* easy, transport::curl_info what) {
  const char* told = nullptr;
  const int problem = curl.easy_getinfo(easy, what, &told);
  return problem == 0 && told ? told : "";
}

inline void ask_library(const transport::libcurl& curl, transport_facts& facts) {
  if (curl.version) {
    facts.version = curl.version();
  }
  if (!curl.easy_getinfo) return;

  void* const easy = curl.easy_init();
  if (!easy) return;

  facts.ca_file = told_by(curl, easy, transport::info_ca_info);
  facts.ca_directory = told_by(curl, easy, transport::info_ca_path);
  curl.easy_cleanup(easy);
}

inline transport_facts find_transport(const options& o) {  // as transport::pump chooses
  transport_facts facts;
  if (o.fetch) return facts;

  facts.problem = checks::check_call(o);
  if (!facts.problem.ok()) return facts;

  const string name = transport::wanted_name(o);
  const transport::libcurl* const curl = name == "curl" ? nullptr : transport::loaded_libcurl();
  if (curl) {
    facts.is = transport_facts::kind::library;
    ask_library(*curl, facts);
  } else if (name == "libcurl") {
    facts.problem = transport::no_libcurl();
  } else {
    facts.is = transport_facts::kind::program;
    facts.problem = ask_program(facts.version);
  }
  return facts;
}

inline void say_proxies(findings& to, transport::environment value) {
  constexpr const char* about = "proxy";
  for (const char* const scheme : {"https", "http"}) {
    const transport::proxy one = transport::proxy_of(join({scheme, "://origin.invalid/"}), value);
    if (one.variable.empty()) {
      tell(to, about, {scheme, " goes without a proxy"});
    } else if (one.address == urls::malformed) {
      warn(to, about, {"the address in ", one.variable, " is malformed"},
          join({"write it as http://HOST:PORT, or unset ", one.variable}));
    } else {
      tell(to, about, {scheme, " goes through ", one.address, ", by ", one.variable});
    }
  }

  const string exempt = transport::either(value, "no_proxy", "NO_PROXY");
  if (!exempt.empty()) {
    tell(to, about, {"no_proxy exempts ", exempt});
  }
  if (value("http_proxy").empty() && !value("HTTP_PROXY").empty()) {
    warn(to, about, {"HTTP_PROXY is not obeyed: a web server may set it from a request"},
        "write it as http_proxy");
  }
}

inline string file_problem(const fs::path& path) {  // empty: it can be read
  os::file opened;
  if (const int error = os::open(path, os::mode::link, opened)) return words_of(error);
  return os::look(path).regular ? "" : "it is no file";
}

inline string folder_problem(const fs::path& path) {
  vector<string> some;
  const int error = os::list_names(path, "", some);
  if (error != 0) return words_of(error);
  return some.empty() ? "it is empty" : "";
}

inline void say_named(findings& to, const char* variable, const string& path, const string& why) {
  constexpr const char* about = "certificates";
  if (why.empty()) {
    return tell(to, about, {"from '", path, "', by ", variable});
  }
  add(to, about, severity::failure, {variable, " names '", path, "', which cannot be used: ", why},
      join({"mend or unset ", variable, ": no https works like that"}));
}

inline void say_built_in(findings& to, const transport_facts& facts) {
  constexpr const char* about = "certificates";
  const string& file = facts.ca_file;
  const string& folder = facts.ca_directory;
  if (file.empty() && folder.empty()) {
    return tell(to, about, {"those that the transport knows by itself"});
  }

  const bool has_file = !file.empty() && file_problem(os::to_path(file)).empty();
  const bool has_folder = !folder.empty() && folder_problem(os::to_path(folder)).empty();
  if (has_file || has_folder) {
    const string& used = has_file ? file : folder;
    return tell(to, about, {"from '", used, "', as libcurl was built"});
  }

  const string& missing = file.empty() ? folder : file;
  warn(to, about, {"libcurl looks for them where they are not: '", missing, "'"},
      "install the certificates of this system, or set CURL_CA_BUNDLE to a file of them");
}

inline void say_certificates(findings& to, const transport_facts& facts) {
  const transport::authorities told = transport::told_authorities();
  if (!told.file.empty()) {
    const string why = file_problem(os::to_path(told.file));
    say_named(to, told.named_by, told.file, why);
  }
  if (!told.directory.empty()) {
    const string why = folder_problem(os::to_path(told.directory));
    say_named(to, "SSL_CERT_DIR", told.directory, why);
  }
  if (told.file.empty() && told.directory.empty()) {
    say_built_in(to, facts);
  }
}

// ---- environment, digests

struct known_variable {
  const char* name;
  enum class shown { value, address, nothing } how;
};

inline constexpr known_variable variables[] = {{"VQCACHE_LOCAL_DIR", known_variable::shown::value},
    {"VQCACHE_CACHE_DIR", known_variable::shown::value},
    {"VQCACHE_OFFLINE", known_variable::shown::value},
    {"VQCACHE_TRANSPORT", known_variable::shown::value},
    {"HF_ENDPOINT", known_variable::shown::address}, {"HF_TOKEN", known_variable::shown::nothing},
    {"HF_TOKEN_PATH", known_variable::shown::value},
    {"HF_HUB_DISABLE_IMPLICIT_TOKEN", known_variable::shown::value},
    {"HF_HUB_CACHE", known_variable::shown::value},
    {"HUGGINGFACE_HUB_CACHE", known_variable::shown::value},
    {"HF_HOME", known_variable::shown::value}};

// What takes the place of a variable; empty: nothing does.
inline view outweighed_by(const options& o, view variable) {
  if (variable == "VQCACHE_LOCAL_DIR" && !o.local_dir.empty()) {
    return ", but options::local_dir is set";
  }
  if (variable == "VQCACHE_CACHE_DIR" && !o.cache_dir.empty()) {
    return ", but options::cache_dir is set";
  }
  if (variable == "VQCACHE_TRANSPORT" && !o.transport.empty()) {
    return ", but options::transport is set";
  }
  return {};
}

inline void say_variables(findings& to, const options& o, transport::environment value_of) {
  for (const known_variable& one : variables) {
    const string value = value_of(one.name);
    if (value.empty()) continue;
    if (one.how == known_variable::shown::nothing) {
      tell(to, "environment", {one.name, " is set"});
      continue;
    }
    const bool is_address = one.how == known_variable::shown::address || urls::has_scheme(value);
    const string shown = is_address ? transport::shown_proxy(value) : value;
    tell(to, "environment", {one.name, " is '", shown, "'", outweighed_by(o, one.name)});
  }
}

inline void say_offline(findings& to, const options& o, transport::environment value_of) {
  if (o.offline) {
    tell(to, "offline", {"options::offline is set: nothing is downloaded"});
  } else if (strings::means_yes(value_of("VQCACHE_OFFLINE"))) {
    warn(to, "offline", {"VQCACHE_OFFLINE is set: nothing is downloaded"},
        "unset it, or set it to 0, to download");
  }
}

inline uint64_t hash_rate() {  // in MB a second
  constexpr size_t most = 16;
  constexpr std::chrono::milliseconds enough{200};
  const string block(size_t{1} << 20, 'x');
  hash::sha256 digest;
  digest.start();
  const clock::time_point begin = clock::now();
  clock::duration taken{};
  size_t done = 0;
  while (done < most && taken < enough) {
    digest.update(block.data(), block.size());
    ++done;
    taken = clock::now() - begin;
  }
  const double seconds = std::chrono::duration<double>(taken).count();
  return static_cast<uint64_t>(double(done * block.size()) / (std::max)(seconds, 1e-6) / 1e6);
}

inline void say_hash(findings& to, const hash::engine& by, uint64_t rate) {
  if (by.kept_by != hash::engine::keeper::portable) {
    return tell(to, "hash", {"SHA-256 by ", by.library, ", ", rate, " MB/s"});
  }
  tell(to, "hash", {"SHA-256 by the library's own code, ", rate, " MB/s"},
      "a libcrypto that can be loaded (OpenSSL 3 or 1.1) is several times faster");
}

// ---- a directory, measured

enum class role { local, lasting, lent };

struct place {
  enum class presence { directory, absent, something_else, unknown };

  role as = role::local;
  const char* about = "";
  fs::path at{};
  presence is = presence::absent;
  int problem = 0;          // of presence::unknown, a value of errno
  bool may_be_made = true;  // by options::create_dirs
  string obstacle{};        // why the first call could not make it; and behind a "; " what to do
  string file_system{};     // what it is on, or would be
  optional<uint64_t> device{};
  os::disk room{};
};

struct abilities {  // each a value of errno; what comes behind a failure of making was not tried
  int reading = 0, making = 0, syncing = 0, syncing_directory = 0, renaming = 0, locking = 0;
  int removing = 0;
  bool replaces = false;       // what was renamed is what is there now
  bool locks_exclude = false;  // a second descriptor
  bool shares_blocks = false;
  bool ignores_case = false;
};

inline constexpr std::string_view probe_begin = ".vqcache_doctor.", probe_end = ".part";

// A file of ours, named like the partial of a model "vqcache_doctor": what a crash leaves goes with
// the next doctor() after a day, or with a remove() of that name.
class probe : os::pinned {
 public:
  explicit probe(const fs::path& in) : path_(in / join({probe_begin, os::unique(), probe_end})) {}

  ~probe() {
    (void)file_.close();
    if (is_made_) {
      (void)os::unlink(path_);
    }
  }

  int make(char letter) {
    constexpr size_t block = 4096;  // what is smaller, some file systems keep without one
    const int opened = os::open(path_, os::mode::create, file_);
    is_made_ = opened == 0;
    return is_made_ ? os::write_at(file_, 0, string(block, letter)) : opened;
  }

  int rename_over(probe& other) {
    (void)file_.close();
    (void)other.file_.close();
    return os::rename(path_, other.path_);
  }

  int remove() {
    (void)file_.close();
    is_made_ = false;
    return os::unlink(path_);
  }

  os::file& opened() { return file_; }

  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
  os::file file_{};
  bool is_made_ = false;
};

// Of doctors that were killed. Whose it is cannot be told by its name alone.
inline void sweep(const fs::path& at, const vector<string>& names) {
  for (const string& name : names) {
    const fs::path left = at / os::to_path(name);
    if (strings::ends_with(name, probe_end) && os::older_than_a_day(left)) {
      (void)os::unlink(left);
    }
  }
}

inline bool excludes_another(const probe& held) {
  os::file again;
  if (os::open(held.path(), os::mode::update, again) != 0) return false;
  const int error = os::try_lock(again);
  return error == EWOULDBLOCK || error == EAGAIN;
}

// Nobody else has a name like it. By its inode it cannot be told: some mounts have one for a name.
inline bool has_another_case(const fs::path& file) {
  const string name = os::shown(file.filename());
  return os::look(file.parent_path() / strings::upper(name)).exists;
}

inline void measure_files(const fs::path& at, abilities& found) {
  constexpr char old_letter = 'o', new_letter = 'n';
  probe file(at), twin(at), newer(at);
  found.making = file.make(old_letter);
  if (found.making == 0) {
    found.making = twin.make(old_letter);
  }
  if (found.making == 0) {
    found.making = newer.make(new_letter);
  }
  if (found.making != 0) return;

  found.syncing = os::sync(newer.opened());
  found.ignores_case = has_another_case(file.path());
  found.shares_blocks = os::clone(file.opened(), twin.opened());
  found.locking = os::try_lock(file.opened());
  found.locks_exclude = found.locking == 0 && excludes_another(file);

  found.renaming = newer.rename_over(file);
  found.syncing_directory = os::sync_directory(at);
  string content;
  const int reading = os::read_text(file.path(), content);
  found.replaces = reading == 0 && strings::starts_with(content, string(1, new_letter));
  found.removing = file.remove();
}

inline abilities measure(const fs::path& at) {
  abilities found;
  vector<string> left;
  found.reading = os::list_names(at, probe_begin, left);
  sweep(at, left);
  measure_files(at, found);
  return found;
}

inline fs::path nearest(fs::path at) {  // of it and the directories above it, what is there
  while (!os::look(at).exists && at.has_relative_path()) {
    at = at.parent_path();
  }
  return at;
}

// Why a directory that is not there cannot be made in what is there; empty: it may be.
inline string obstacle_to(const fs::path& missing, const fs::path& above) {
  string link = os::link_problem(missing);
  if (!link.empty()) return link;

  constexpr const char* another = ", or choose another directory";
  if (!os::look(above).directory) {
    return join({above, " is no directory; move it", another});
  }
  if (os::read_only(above)) {
    return join({above, " cannot be written; check its permissions", another});
  }
  return {};
}

inline place::presence presence_of(const os::info& found) {
  if (found.directory) {
    return place::presence::directory;
  }
  if (found.exists) {
    return place::presence::something_else;
  }
  return found.problem != 0 ? place::presence::unknown : place::presence::absent;
}

inline place look_at(role as, const char* about, const fs::path& at, bool may_be_made) {
  const os::info found = os::look(at);
  place one;
  one.as = as;
  one.about = about;
  one.at = at;
  one.may_be_made = may_be_made;
  one.problem = found.problem;
  one.is = presence_of(found);

  const fs::path above = nearest(at);
  if (one.is == place::presence::absent) {
    one.obstacle = obstacle_to(at, above);
  }
  one.file_system = os::file_system_of(above);
  one.device = os::device_of(above);
  one.room = os::disk_of(above);
  return one;
}

// ---- a directory, told

inline severity worst(role as) {  // without a cache a call goes on
  return as == role::local ? severity::failure : severity::warning;
}

inline void say_absent(findings& to, const place& one) {
  if (one.as == role::lent) {
    return warn(to, one.about, {one.at, " is not there: nothing is restored from it"},
        "mount or create it, or take it out of options::also_look_in");
  }
  if (!one.may_be_made) {
    return add(to, one.about, worst(one.as),
        {one.at, " is not there, and options::create_dirs is false"}, "create it");
  }
  if (!one.obstacle.empty()) {
    const size_t end = one.obstacle.rfind("; ");
    return add(to, one.about, worst(one.as),
        {one.at, " is not there, and cannot be made: ", view(one.obstacle).substr(0, end)},
        one.obstacle.substr(end + 2));
  }
  tell(to, one.about, {one.at, " is not there; the first call makes it"});
}

inline void say_file_system(findings& to, const place& one) {
  const string& on = one.file_system;
  const string where = on.empty() ? string() : join({" on ", on});
  const bool is_in_memory = on == "tmpfs" || on == "ramfs";
  if (one.as == role::lasting && is_in_memory) {
    return warn(to, one.about, {one.at, " is a directory", where, ": in memory"},
        "a restart takes it away: choose a directory on a disk that stays");
  }
  if (one.as == role::lasting && on == "overlay") {
    return warn(to, one.about, {one.at, " is a directory", where, ": in a container's own layer"},
        "it may go with the container: choose a directory of a volume that stays");
  }
  tell(to, one.about, {one.at, " is a directory", where});
}

inline void say_presence(findings& to, const place& one) {
  switch (one.is) {
    case place::presence::directory: return say_file_system(to, one);
    case place::presence::absent: return say_absent(to, one);
    case place::presence::something_else:
      return add(to, one.about, worst(one.as), {one.at, " is no directory"},
          "move what is there, or choose another directory");
    case place::presence::unknown: break;
  }
  add(to, one.about, worst(one.as), {one.at, " cannot be looked at: ", words_of(one.problem)},
      advice_for(one.problem));
}

inline constexpr uint64_t little_room = uint64_t{2} << 30;  // a checkpoint has 0.3 to 8 GB
inline constexpr uint64_t large_checkpoint = uint64_t{8} << 30;

inline string gigabytes(uint64_t bytes) {
  const uint64_t tenths = bytes / 100000000;
  return join({tenths / 10, ".", tenths % 10, " GB"});
}

inline void say_room(findings& to, const place& one) {
  const os::disk& room = one.room;
  if (room.available == os::unknown || room.capacity == os::unknown) {
    return tell(to, one.about, {"its free space is not told"});
  }

  const uint64_t hundredth = (std::max)(uint64_t{room.capacity / 100}, uint64_t{1});
  const uint64_t percent = room.available / hundredth;
  const string said = join({gigabytes(room.available), " of ", gigabytes(room.capacity),
      " are free (", (std::min)(percent, uint64_t{100}), " %)"});
  if (room.available < little_room) {
    warn(to, one.about, {said},
        "free some space there, or choose another directory: a checkpoint has 0.3 to 8 GB");
  } else {
    tell(to, one.about, {said});
  }
  if (room.largest < large_checkpoint) {
    warn(to, one.about, {"a file there has at most ", gigabytes(room.largest)},
        "by its file system or a limit of this process (ulimit -f): larger checkpoints do not fit");
  }
}

// That a step works; or why not, and then nothing can be published there.
inline bool say_step(
    findings& to, const place& one, int error, const char* works, const char* fails) {
  if (error == 0) {
    tell(to, one.about, {works});
  } else {
    add(to, one.about, worst(one.as), {fails, ": ", words_of(error)}, advice_for(error));
  }
  return error == 0;
}

inline void say_locks(findings& to, const place& one, const abilities& can) {
  constexpr const char* advice =
      "two calls may download the same model twice; nothing else rests on it";
  if (can.locks_exclude) {
    return tell(to, one.about, {"flock keeps a second caller out"});
  }
  if (one.as == role::lasting) {  // where nothing is locked
    return tell(to, one.about, {"flock does not work, and is not used there"});
  }
  if (can.locking != 0) {
    return warn(to, one.about, {"flock does not work: ", words_of(can.locking)}, advice);
  }
  warn(to, one.about, {"flock says yes to everybody"}, advice);
}

inline void say_case(findings& to, const place& one, bool is_ignored) {
  if (!is_ignored) {
    return tell(to, one.about, {"names that differ in case alone are two"});
  }
  tell(to, one.about, {"names that differ in case alone are one"},
      "use names that differ in more, or errc::name_taken is told");
}

inline void say_blocks(findings& to, const place& one, bool are_shared) {
  const char* const shared = "files can share blocks (reflink)";
  const char* const not_shared = "files share no blocks (reflink)";
  tell(to, one.about, {are_shared ? shared : not_shared});
}

inline void say_abilities(findings& to, const place& one, const abilities& can) {
  (void)say_step(to, one, can.reading, "it can be listed", "it cannot be listed");
  if (!say_step(to, one, can.making, "files can be made and written", "no file can be written")) {
    return;
  }

  int renaming = can.renaming;
  if (renaming == 0 && !can.replaces) {
    renaming = EIO;
  }
  (void)say_step(to, one, renaming, "rename replaces a file", "rename does not replace a file");

  int syncing = can.syncing;
  if (syncing == 0) {
    syncing = can.syncing_directory;
  }
  (void)say_step(to, one, syncing, "fsync works", "fsync fails");

  say_locks(to, one, can);
  say_blocks(to, one, can.shares_blocks);
  say_case(to, one, can.ignores_case);
  if (can.removing != 0) {
    (void)say_step(to, one, can.removing, "", "a file that was made there cannot be removed");
  }
}

// ---- both directories

enum class between { one_place, sharing_blocks, one_device, two_devices, unknown };

inline between relation(const place& local, const place& lasting, bool shares_blocks) {
  if (call::call::is_one_place(local.at, lasting.at)) return between::one_place;
  if (shares_blocks) return between::sharing_blocks;
  if (!local.device || !lasting.device) return between::unknown;
  return *local.device == *lasting.device ? between::one_device : between::two_devices;
}

inline void say_relation(findings& to, between is) {
  constexpr const char* about = "tiers";
  constexpr const char* advice = "put cache_dir on another disk, one that stays";
  switch (is) {
    case between::one_place:
      return warn(to, about, {"local_dir and cache_dir are one place: no copy is kept"},
          "choose another cache_dir, or set options::keep_copy to false");
    case between::sharing_blocks:
      tell(to, about, {"a copy shares the blocks of its file: it takes no room, and no time"});
      return warn(to, about,
          {"such a copy protects against deletion alone, not against the end of the disk"}, advice);
    case between::one_device:
      return warn(to, about,
          {"both are on one device: the copy protects against deletion alone, not against the end "
           "of the disk"},
          advice);
    case between::two_devices: return tell(to, about, {"they are on two devices"});
    case between::unknown: break;
  }
  tell(to, about, {"whether they are on one device cannot be told"});
}

inline bool shares_blocks(const fs::path& local, const fs::path& lasting) {
  probe from(local), to(lasting);
  return from.make('f') == 0 && to.make('t') == 0 && os::clone(from.opened(), to.opened());
}

// ---- the whole

// Why a place that is given is none; empty: it is one.
inline string place_problem(const fs::path& given, const fs::path& found) {
  string odd = checks::directory_problem(error::shown(given));
  if (!odd.empty()) return odd;
  if (!found.empty() && found.is_absolute()) return {};
  if (call::begins_at_home(given)) {
    return "begins with ~, and HOME is not set";
  }
  return "is relative, and the working directory is not there any more";
}

class examination {
 public:
  examination(const options& o, findings& to) : o_(&o), to_(&to) {}

  void run() {
    const transport_facts facts = find_transport(*o_);
    say_transport(*to_, facts);
    if (!o_->fetch) {
      say_proxies(*to_, os::env);
      say_certificates(*to_, facts);
    }
    say_offline(*to_, *o_, os::env);
    say_variables(*to_, *o_, os::env);
    say_hash(*to_, hash::system_engine(), hash_rate());

    const place local = directory(role::local, "local_dir", call::given_directory(*o_, true));
    const place lasting = copies();
    for (const fs::path& given : o_->also_look_in) {
      (void)directory(role::lent, "also_look_in", given);
    }
    if (!local.at.empty() && !lasting.at.empty()) {
      both(local, lasting);
    }
  }

 private:
  place copies() {  // without a path: there is none
    if (o_->keep_copy) {
      return directory(role::lasting, "cache_dir", call::given_directory(*o_, false));
    }
    tell(*to_, "cache_dir", {"options::keep_copy is false: no copy is kept"});
    return {};
  }

  place directory(role as, const char* about, const fs::path& given) {
    const fs::path at = os::resolved(given);
    const string problem = place_problem(given, at);
    if (!problem.empty()) {
      const string name = urls::redact(error::shown(given));
      add(*to_, about, worst(as), {"'", name, "' cannot be used: it ", problem},
          "give the absolute path of a directory");
      return {};
    }

    place one = look_at(as, about, at, o_->create_dirs);
    say_presence(*to_, one);
    const bool is_there = one.is == place::presence::directory;
    if (as == role::lent) {  // it is never written
      if (is_there) {
        lent(one);
      }
      return one;
    }
    if (is_there || one.is == place::presence::absent) {
      say_room(*to_, one);
    }
    if (is_there) {
      say_abilities(*to_, one, measure(one.at));
    }
    return one;
  }

  void lent(const place& one) {
    vector<string> names;
    const int error = os::list_names(one.at, probe_begin, names);
    (void)say_step(*to_, one, error, "it can be listed", "it cannot be listed");
  }

  void both(const place& local, const place& lasting) {
    const bool are_there =
        local.is == place::presence::directory && lasting.is == place::presence::directory;
    say_relation(*to_, relation(local, lasting, are_there && shares_blocks(local.at, lasting.at)));
  }

  const options* o_;
  findings* to_;
};

inline status examine(const options& o, findings& found) {
  const os::held_cancel until_the_end;
  const os::quiet_signals quiet;
  return error::contain([&] {
    (void)error::ready();  // while there is memory
    VQCACHE_NEED_(checks::check_options(o));
    examination(o, found).run();
    return status();
  });
}
}  // namespace doctor

// ==== >>notebook ==== knows where a platform has its fast and its lasting disk ====
//
// Which platform this is, its variables and paths tell, as it documents them. Nothing is created or
// written here; what the user has set is left alone. It uses >>os and >>call.
namespace notebook {
// As each documents itself. Signs: variables, with any value or this one, and paths. The first
// lasting place that holds a cache, or can be written, is taken. Inputs are only read: a * stands
// for any folder, and those that hold a cache are looked in.
//
// Kaggle saves what stands in /kaggle/working with a version, and mounts that, where a later one
// has it as an input, at one of these places (the first is the older). /kaggle/temp is not saved.
// clang-format off
inline constexpr struct platform {
  const char *name, *signs, *fast, *lasting, *advice, *inputs = "", *remark = "";
} all[] = {
  {"Kaggle", "KAGGLE_KERNEL_RUN_TYPE KAGGLE_USER_SECRETS_TOKEN KAGGLE_DATA_PROXY_TOKEN",
   "/kaggle/temp", "/kaggle/working", "there is no /kaggle/working",
   "/kaggle/input/* /kaggle/input/notebooks/*/* /kaggle/input/datasets/*/*",
   "copies last once this version is saved, and its output added as an input to the next one"},
  {"Paperspace", "PAPERSPACE_NOTEBOOK_REPO_ID PAPERSPACE_CLUSTER_ID PAPERSPACE_FQDN", "/tmp",
   "/storage /notebooks", "there is neither /storage nor /notebooks"},
  {"Hugging Face Spaces", "SPACE_ID", "/tmp", "/data", "attach storage as /data"},
  {"Binder", "BINDER_REPO_URL BINDER_REF_URL BINDER_LAUNCH_HOST", "/tmp", "", "Binder has no disk"},
  {"Colab Enterprise", "VERTEX_PRODUCT=COLAB_ENTERPRISE", "/content", "", "it cannot mount Drive"},
  {"Colab", "COLAB_RELEASE_TAG TBE_RUNTIME_ADDR COLAB_GPU /var/colab/hostname", "/content", "",
   "mount Google Drive (drive.mount in a Python cell), then ask again"},
  {"Lightning Studio", "LIGHTNING_CLOUDSPACE_HOST LIGHTNING_CLOUD_PROJECT_ID /teamspace", "/tmp",
   "/teamspace/studios/this_studio", "there is no studio"},
  {"SageMaker Studio Lab", "SAGEMAKER_INTERNAL_IMAGE_URI /home/studio-lab-user", "/tmp",
   "/home/studio-lab-user", "there is no home directory"}};

// clang-format on

// Where Google Drive is mounted: DEVICE PLACE fuse.drive ... of the table of mounts.
inline vector<string> drives(const string& root) {
  constexpr std::string_view mark = " fuse.drive ";
  string mounts;
  (void)os::read_text(root + "/proc/self/mounts", mounts);

  vector<string> places;
  for (const string& line : strings::words(mounts, '\n')) {
    const size_t end = line.find(mark), at = line.find(' ') + 1;
    if (end == npos) continue;
    for (const char* const folder : {"/MyDrive", "/My Drive"}) {
      places.push_back(line.substr(at, end - at) + folder);
    }
  }
  return places;
}

inline bool has_models(const string& folder) {
  return os::look(folder + "/cache/models").directory;
}

// Every folder that this pattern tells and that has models, in the order of their names.
inline void add_inputs(const string& pattern, std::vector<fs::path>& found) {
  const size_t star = pattern.find('*');
  if (star == npos) {
    if (has_models(pattern)) {
      found.push_back(os::to_path(pattern + "/cache/models"));
    }
    return;
  }

  const string parent = pattern.substr(0, star);
  vector<string> names = os::list(parent, "");
  std::sort(names.begin(), names.end());
  for (const string& name : names) {
    add_inputs(join({parent, name, pattern.substr(star + 1)}), found);
  }
}

inline string lasting(const platform& here, const string& root) {  // empty: there is none
  vector<string> places = strings::words(here.lasting);
  for (const string& place : drives(root)) {
    places.push_back(place);
  }

  for (const string& place : places) {
    const string folder = root + place;
    const bool can_be_written = os::look(folder).directory && !os::read_only(folder);
    if (has_models(folder) || can_be_written) return folder;
  }
  return {};
}

struct recognised {
  const platform* as = nullptr;
  string sign{};  // by which
};

// NAME, or NAME=VALUE
inline bool is_set(std::string_view sign) {
  const string name(strings::take(sign, '='));
  const string value = os::env(name.c_str());
  return !value.empty() && (sign.empty() || value == sign);
}

inline recognised recognise(const string& root) {
  for (const platform& one : all) {
    for (const string& sign : strings::words(one.signs)) {
      if (is_set(sign)) return {&one, sign};
    }
  }
  // paths last: they may be anybody's
  for (const platform& one : all) {
    for (const string& sign : strings::words(one.signs)) {
      if (sign[0] == '/' && os::look(root + sign).exists) return {&one, sign};
    }
  }
  return {};
}

// The options with the directories of the platform, and what is to be said of them.
inline string take_directories(options& chosen, const platform& here, const string& root) {
  const string fast = root + here.fast;
  const string slow = lasting(here, root);
  if (chosen.local_dir.empty() && os::env("VQCACHE_LOCAL_DIR").empty()) {
    chosen.local_dir = os::to_path(fast + "/models");
  }
  if (!chosen.cache_dir.empty() || !os::env("VQCACHE_CACHE_DIR").empty()) return {};

  chosen.cache_dir = os::to_path((slow.empty() ? fast : slow) + "/cache/models");
  string note;
  if (os::read_only(chosen.cache_dir)) {
    note = ", which is only read: keep it added in later sessions";
  } else if (slow.empty()) {
    note = join({"; nothing here outlasts the session: ", here.advice});
  } else if (*here.remark) {
    note = join({"; ", here.remark});
  }
  for (const string& pattern : strings::words(here.inputs)) {
    add_inputs(root + pattern, chosen.also_look_in);
  }
  for (const fs::path& input : chosen.also_look_in) {
    note += join({"; also looked in is ", input});
  }
  return note;
}

inline options choose(options given, const string& root) {  // root: in the place of /
  const os::held_cancel until_the_end;
  const recognised here = recognise(root);
  const string note = here.as ? take_directories(given, *here.as, root) : string();
  if (!given.on_message) return given;

  string who = "No notebook platform is known here";
  if (here.as) {
    who = join({here.as->name, " (", here.sign, ")"});
  }

  const severity how = note.empty() ? severity::information : severity::warning;
  const fs::path fast = call::directory(given, true);
  const fs::path slow = call::lasting_directory(given);
  const string line = join({who, ": models go to ", fast, ", copies to ", slow, note, "."});
  given.on_message({strings::readable(line), how});
  return given;
}

// An empty local_dir would be that of a notebook: without a home the call has to fail.
inline options options_of(const string& app) {
  string folder = app;
  for (char& c : folder) {
    const bool is_good = strings::consists_of(strings::lower(string(1, c)), strings::name_letters);
    c = is_good ? c : '_';
  }
  if (!strings::name_problem(folder).empty()) {
    folder = "vqcache_" + folder.substr(0, strings::longest_name / 2);
  }

  options chosen;
  const fs::path caches = os::user_cache_directory();
  chosen.local_dir = (caches.empty() ? fs::path("~") : caches) / folder;
  chosen.keep_copy = false;
  return chosen;
}
}  // namespace notebook
}  // namespace detail

// ==== >>public ==== thin bodies of the public functions ====
namespace detail {
namespace progress_text {
inline constexpr size_t width = 79;
inline constexpr uint64_t large = 1000000;  // bytes

inline const char* doing(phase what) {
  switch (what) {
    case phase::waiting: return "awaiting";
    case phase::downloading: return "downloading";
    case phase::restoring: return "restoring";
    case phase::storing: return "storing";
    case phase::verifying: break;
  }
  return "checking";
}

inline string megabytes(uint64_t bytes) {
  const uint64_t tenths = bytes / 100000;
  return join({tenths / 10, ".", tenths % 10, " MB"});
}

inline string key(const progress& p, int percent) {  // what has to change for another line
  return join({doing(p.phase), " ", p.file, " ", percent / 10});
}

inline string line(const progress& p, int percent) {
  string text = join({doing(p.phase), " ", p.file, " "});
  if (p.total > 0) {
    text += join({percent, "% of ", megabytes(p.total)});
  } else {
    text += megabytes(p.done);
  }
  if (p.seconds_left < 0) return text;

  const auto rate = static_cast<uint64_t>(p.bytes_per_second);
  const auto left = static_cast<uint64_t>(p.seconds_left);
  return join({text, ", ", megabytes(rate), "/s, ", left, " s left"});
}
}  // namespace progress_text
}  // namespace detail

VQCACHE_API_ std::string source::literal(const std::filesystem::path& file) {
  return file.empty() ? std::string() : detail::urls::file_url(file);
}

VQCACHE_API_ void print_message(const std::string& line) {
  detail::os::print_line(line);
}

VQCACHE_API_ bool progress_line::operator()(const progress& p) {
  const bool is_live = detail::os::is_terminal(to) || (VQCACHE_INTERPRETED && to == stdout);
  int percent = 0;
  if (p.total > 0) {
    percent = static_cast<int>(100.0 * double(p.done) / double(p.total));
  }
  // elsewhere one line for each tenth of a large file
  const std::string now = detail::progress_text::key(p, percent);
  const bool is_new = p.total >= detail::progress_text::large && now != last;
  if (!is_live && !is_new) return true;

  last = now;
  const bool goes_on = p.total == 0 || p.done < p.total;
  std::string line = detail::progress_text::line(p, percent);
  if (is_live) {
    line.insert(0, "\r");
    line.resize((std::max)(line.size(), detail::progress_text::width), ' ');  // over the last one
  }
  detail::os::print(line + (is_live && goes_on ? "\r" : "\n"), to);
  return true;
}

VQCACHE_API_ const std::error_category& error_category() noexcept {
  return detail::error::category();
}

VQCACHE_API_ std::error_code make_error_code(errc e) noexcept {
  return {static_cast<int>(e), error_category()};
}

VQCACHE_API_ result try_download_vqgan_model(
    const std::string& name, const source& config, const source& checkpoint, const options& opts) {
  model found;
  const detail::status s = detail::sets::vqgan::download(name, &config, &checkpoint, opts, found);
  return {std::move(found), detail::error::to_error(s)};
}

VQCACHE_API_ result try_download_vqgan_model(const std::string& name, const options& opts) {
  model found;
  const detail::status s = detail::sets::vqgan::download(name, nullptr, nullptr, opts, found);
  return {std::move(found), detail::error::to_error(s)};
}

VQCACHE_API_ result try_download_model(
    const std::string& name, const std::vector<named_source>& files, const options& opts) {
  model found;
  const detail::status s = detail::sets::download(name, files, opts, found);
  return {std::move(found), detail::error::to_error(s)};
}

VQCACHE_API_ result try_download_file(
    const std::string& name, const source& from, const options& opts) {
  model found;
  const detail::status s = detail::sets::download_file(name, from, opts, found);
  return {std::move(found), detail::error::to_error(s)};
}

VQCACHE_API_ result try_restore_model(const std::string& name, const options& opts) {
  model found;
  const detail::status s = detail::sets::restore_model(name, opts, found);
  return {std::move(found), detail::error::to_error(s)};
}

VQCACHE_API_ answer<std::vector<held_model>> try_list_models(const options& opts) {
  answer<std::vector<held_model>> found;
  found.error = detail::error::to_error(detail::upkeep::list_models(opts, found.value));
  return found;
}

VQCACHE_API_ answer<verification> try_verify_model(const std::string& name, const options& opts) {
  answer<verification> found;
  found.error = detail::error::to_error(detail::upkeep::verify_model(name, opts, found.value));
  return found;
}

VQCACHE_API_ answer<verification> try_repair_model(const std::string& name, const options& opts) {
  answer<verification> found;
  found.error = detail::error::to_error(detail::upkeep::repair_model(name, opts, found.value));
  return found;
}

VQCACHE_API_ answer<pruning> try_prune(
    std::uint64_t max_bytes, bool is_dry_run, const options& opts) {
  answer<pruning> found;
  found.error = detail::error::to_error(
      detail::upkeep::prune_local(max_bytes, is_dry_run, opts, found.value));
  return found;
}

VQCACHE_API_ answer<explanation> try_explain(const std::string& name, const options& opts) {
  answer<explanation> found;
  found.error = detail::error::to_error(detail::upkeep::explain(name, opts, found.value));
  return found;
}

VQCACHE_API_ answer<std::vector<finding>> try_doctor(const options& opts) {
  answer<std::vector<finding>> found;
  found.error = detail::error::to_error(detail::doctor::examine(opts, found.value));
  return found;
}

VQCACHE_API_ error try_remove(const std::string& name, const options& opts) {
  return detail::error::to_error(detail::upkeep::remove_all(name, opts));
}
#if VQCACHE_EXCEPTIONS_
VQCACHE_API_ model download_vqgan_model(
    const std::string& name, const source& config, const source& checkpoint, const options& opts) {
  model found;
  detail::error::raise(detail::sets::vqgan::download(name, &config, &checkpoint, opts, found));
  return found;
}

VQCACHE_API_ model download_vqgan_model(const std::string& name, const options& opts) {
  model found;
  detail::error::raise(detail::sets::vqgan::download(name, nullptr, nullptr, opts, found));
  return found;
}

VQCACHE_API_ model download_model(
    const std::string& name, const std::vector<named_source>& files, const options& opts) {
  model found;
  detail::error::raise(detail::sets::download(name, files, opts, found));
  return found;
}

VQCACHE_API_ model download_file(const std::string& name, const source& from, const options& opts) {
  model found;
  detail::error::raise(detail::sets::download_file(name, from, opts, found));
  return found;
}

VQCACHE_API_ model restore_model(const std::string& name, const options& opts) {
  model found;
  detail::error::raise(detail::sets::restore_model(name, opts, found));
  return found;
}

VQCACHE_API_ void remove(const std::string& name, const options& opts) {
  detail::error::raise(detail::upkeep::remove_all(name, opts));
}

VQCACHE_API_ std::vector<held_model> list_models(const options& opts) {
  std::vector<held_model> found;
  detail::error::raise(detail::upkeep::list_models(opts, found));
  return found;
}

VQCACHE_API_ verification verify_model(const std::string& name, const options& opts) {
  verification found;
  detail::error::raise(detail::upkeep::verify_model(name, opts, found));
  return found;
}

VQCACHE_API_ verification repair_model(const std::string& name, const options& opts) {
  verification found;
  detail::error::raise(detail::upkeep::repair_model(name, opts, found));
  return found;
}

VQCACHE_API_ pruning prune(std::uint64_t max_bytes, bool is_dry_run, const options& opts) {
  pruning found;
  detail::error::raise(detail::upkeep::prune_local(max_bytes, is_dry_run, opts, found));
  return found;
}

VQCACHE_API_ explanation explain(const std::string& name, const options& opts) {
  explanation found;
  detail::error::raise(detail::upkeep::explain(name, opts, found));
  return found;
}

VQCACHE_API_ std::vector<finding> doctor(const options& opts) {
  std::vector<finding> found;
  detail::error::raise(detail::doctor::examine(opts, found));
  return found;
}

VQCACHE_API_ const vqcache::model& result::value() const {
  detail::error::raise(error);
  return model;
}
#endif
VQCACHE_API_ std::vector<known_model> known_models() {
  return detail::catalog::known();
}

VQCACHE_API_ options notebook_options(options opts) {
  return detail::notebook::choose(std::move(opts), "");
}

VQCACHE_API_ options user_options(const std::string& app) {
  return detail::notebook::options_of(app);
}
}  // namespace VQCACHE_ABI_
}  // namespace vqcache
#endif  // VQCACHE_HAS_BODIES
// ==== >>undef ==== removes internal macros; the licence text ====
#undef VQCACHE_EXCEPTIONS_
#undef VQCACHE_SEEN_
#undef VQCACHE_TAG_
#undef VQCACHE_TAG_OF_
#undef VQCACHE_NEED_
#undef VQCACHE_API_
#undef VQCACHE_ABI_
#elif VQCACHE_HPP != 200
#error "two versions of vqcache.hpp in one translation unit: include only one of them"
#elif defined(VQCACHE_IMPLEMENTATION) && !VQCACHE_HAS_BODIES
#error "define VQCACHE_IMPLEMENTATION before the first include of vqcache.hpp in this .cpp"
#endif  // VQCACHE_HPP
// Copyright (c) 2026 The vqcache authors. MIT License: use, copy, change and sell it, with this
// notice and without warranty of any kind. In full: https://spdx.org/licenses/MIT.html.
