// What the library names of Windows without <windows.h> is what <windows.h> says. It compiles, or not.
#include "vqcache.hpp"

#include <windows.h>
// after it
#include <sys/locking.h>
#include <sys/stat.h>

#include <cstddef>
#include <type_traits>

namespace files = vqcache::detail::os::windows;
namespace programs = vqcache::detail::process::windows;

static_assert(std::is_same_v<files::ulong_ptr, ULONG_PTR> && std::is_same_v<ULONG_PTR, SIZE_T>
    && std::is_same_v<ULONG_PTR, DWORD_PTR>);

static_assert(files::utf8 == CP_UTF8 && files::forever == INFINITE);
static_assert(files::search_application_dir == LOAD_LIBRARY_SEARCH_APPLICATION_DIR
    && files::search_user_dirs == LOAD_LIBRARY_SEARCH_USER_DIRS
    && files::search_system32 == LOAD_LIBRARY_SEARCH_SYSTEM32);
static_assert(files::replace_existing == MOVEFILE_REPLACE_EXISTING
    && files::write_through == MOVEFILE_WRITE_THROUGH);
static_assert(files::lock_or_fail == _LK_NBLCK && files::owner_may == (_S_IREAD | _S_IWRITE));

static_assert(files::handle_eof == ERROR_HANDLE_EOF && files::bad_exe_format == ERROR_BAD_EXE_FORMAT
    && files::exe_machine_type_mismatch == ERROR_EXE_MACHINE_TYPE_MISMATCH
    && files::access_disabled_by_policy == ERROR_ACCESS_DISABLED_BY_POLICY
    && files::no_system_resources == ERROR_NO_SYSTEM_RESOURCES
    && files::commitment_limit == ERROR_COMMITMENT_LIMIT);
#if defined(ERROR_VIRUS_INFECTED)  // which not every mingw-w64 has
static_assert(
    files::virus_infected == ERROR_VIRUS_INFECTED && files::virus_deleted == ERROR_VIRUS_DELETED);
#endif
#if defined(ERROR_ELEVATION_REQUIRED)
static_assert(files::elevation_required == ERROR_ELEVATION_REQUIRED);
#endif

static_assert(sizeof(files::overlapped) == sizeof(OVERLAPPED)
    && offsetof(files::overlapped, offset) == offsetof(OVERLAPPED, Offset)
    && offsetof(files::overlapped, offset_high) == offsetof(OVERLAPPED, OffsetHigh)
    && offsetof(files::overlapped, event) == offsetof(OVERLAPPED, hEvent));

static_assert(programs::max_path == MAX_PATH && programs::handle_inherit == HANDLE_FLAG_INHERIT
    && programs::object_signaled == WAIT_OBJECT_0);
static_assert(programs::attribute_handle_list == PROC_THREAD_ATTRIBUTE_HANDLE_LIST
    && programs::use_std_handles == STARTF_USESTDHANDLES
    && programs::create_no_window == CREATE_NO_WINDOW
    && programs::extended_startup == EXTENDED_STARTUPINFO_PRESENT);

static_assert(sizeof(programs::startup_info_ex) == sizeof(STARTUPINFOEXW)
    && offsetof(programs::startup_info_ex, title) == offsetof(STARTUPINFOW, lpTitle)
    && offsetof(programs::startup_info_ex, flags) == offsetof(STARTUPINFOW, dwFlags)
    && offsetof(programs::startup_info_ex, more) == offsetof(STARTUPINFOW, lpReserved2)
    && offsetof(programs::startup_info_ex, input) == offsetof(STARTUPINFOW, hStdInput)
    && offsetof(programs::startup_info_ex, output) == offsetof(STARTUPINFOW, hStdOutput)
    && offsetof(programs::startup_info_ex, error) == offsetof(STARTUPINFOW, hStdError)
    && offsetof(programs::startup_info_ex, attributes)
        == offsetof(STARTUPINFOEXW, lpAttributeList));

static_assert(sizeof(programs::process_information) == sizeof(PROCESS_INFORMATION)
    && offsetof(programs::process_information, thread) == offsetof(PROCESS_INFORMATION, hThread));
