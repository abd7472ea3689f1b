// The header as a module of C++20: `import vqcache;` gives its public names. With clang:
//
//     clang++ -std=c++20 -I. --precompile examples/packaging/module/vqcache.cppm -o vqcache.pcm
//     clang++ -std=c++20 -fmodule-file=vqcache=vqcache.pcm app.cpp vqcache.pcm -o app
//
// With CMake 3.28 it is a source of a target's FILE_SET of TYPE CXX_MODULES. Macros are not
// exported. Units that import it and units that include the header link, if they have the same
// VQCACHE_USE_LIBCURL. With VQCACHE_HEADER_ONLY=0 here, one .cpp holds the bodies, as always.
// Include standard headers before the import, not behind it.

module;

#include "vqcache.hpp"

export module vqcache;

export namespace vqcache {

// what a call is given and gives
using vqcache::answer;
using vqcache::fetcher;
using vqcache::message;
using vqcache::model;
using vqcache::named_source;
using vqcache::options;
using vqcache::origin;
using vqcache::phase;
using vqcache::progress;
using vqcache::progress_line;
using vqcache::request;
using vqcache::response;
using vqcache::result;
using vqcache::severity;
using vqcache::source;
using vqcache::operator<<;

// errors
using vqcache::errc;
using vqcache::error;
using vqcache::error_category;
using vqcache::make_error_code;
using vqcache::operator==;
using vqcache::operator!=;

// what is held
using vqcache::checked_file;
using vqcache::condition;
using vqcache::explained_file;
using vqcache::explanation;
using vqcache::finding;
using vqcache::held_file;
using vqcache::held_model;
using vqcache::known_model;
using vqcache::pruned_model;
using vqcache::pruning;
using vqcache::verification;

// the calls
using vqcache::known_models;
using vqcache::notebook_options;
using vqcache::print_message;
using vqcache::try_doctor;
using vqcache::try_download_file;
using vqcache::try_download_model;
using vqcache::try_download_vqgan_model;
using vqcache::try_explain;
using vqcache::try_list_models;
using vqcache::try_prune;
using vqcache::try_remove;
using vqcache::try_repair_model;
using vqcache::try_restore_model;
using vqcache::try_verify_model;
using vqcache::user_options;

#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
using vqcache::doctor;
using vqcache::download_file;
using vqcache::download_model;
using vqcache::download_vqgan_model;
using vqcache::explain;
using vqcache::list_models;
using vqcache::prune;
using vqcache::remove;
using vqcache::repair_model;
using vqcache::restore_model;
using vqcache::verify_model;
#endif

}  // namespace vqcache
