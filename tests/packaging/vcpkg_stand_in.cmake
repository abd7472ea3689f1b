# cmake -DPORT_DIR=DIR -DPACKAGE=DIR -DWORK=DIR -P vcpkg_stand_in.cmake: runs the port as vcpkg does,
# whose functions are written here as its documentation describes them, for a release build alone.

set(PORT vqcache)
set(CURRENT_PORT_DIR "${PORT_DIR}")
set(CURRENT_PACKAGES_DIR "${PACKAGE}")

function(vcpkg_cmake_configure)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "SOURCE_PATH" "OPTIONS")
  execute_process(RESULT_VARIABLE failed COMMAND "${CMAKE_COMMAND}" -S "${arg_SOURCE_PATH}"
    -B "${WORK}" "-DCMAKE_INSTALL_PREFIX=${PACKAGE}" ${arg_OPTIONS})
  if(failed)
    message(FATAL_ERROR "the port does not configure")
  endif()
endfunction()

function(vcpkg_cmake_install)
  execute_process(RESULT_VARIABLE failed COMMAND "${CMAKE_COMMAND}" --build "${WORK}" --target install)
  if(failed)
    message(FATAL_ERROR "the port does not install")
  endif()
endfunction()

# moves the package files to where vcpkg has them, and corrects their way to the prefix
function(vcpkg_cmake_config_fixup)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "CONFIG_PATH" "")
  file(GLOB files "${PACKAGE}/${arg_CONFIG_PATH}/*.cmake")
  if(NOT files)
    message(FATAL_ERROR "there is nothing in ${arg_CONFIG_PATH}")
  endif()
  file(COPY ${files} DESTINATION "${PACKAGE}/share/${PORT}")
  file(REMOVE_RECURSE "${PACKAGE}/share/cmake")
  file(READ "${PACKAGE}/share/${PORT}/vqcacheConfig.cmake" text)
  string(REGEX REPLACE
    "(get_filename_component\\(PACKAGE_PREFIX_DIR \"[$]{CMAKE_CURRENT_LIST_DIR}/)[./]+(\" ABSOLUTE\\))"
    "\\1../../\\2" corrected "${text}")
  if(corrected STREQUAL text)
    message(FATAL_ERROR "vcpkg would not find the way to the prefix in vqcacheConfig.cmake")
  endif()
  file(WRITE "${PACKAGE}/share/${PORT}/vqcacheConfig.cmake" "${corrected}")
endfunction()

function(vcpkg_fixup_pkgconfig)
  if(NOT EXISTS "${PACKAGE}/share/pkgconfig/vqcache.pc")
    message(FATAL_ERROR "vcpkg wants the .pc file of a header in share/pkgconfig")
  endif()
endfunction()

function(vcpkg_install_copyright)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "FILE_LIST")
  file(INSTALL ${arg_FILE_LIST} DESTINATION "${PACKAGE}/share/${PORT}")
  file(RENAME "${PACKAGE}/share/${PORT}/LICENSE" "${PACKAGE}/share/${PORT}/copyright")
endfunction()

include("${PORT_DIR}/portfile.cmake")

# what vcpkg complains about after a build
foreach(file IN ITEMS include/vqcache.hpp share/vqcache/vqcacheConfig.cmake share/vqcache/copyright
        share/vqcache/usage)
  if(NOT EXISTS "${PACKAGE}/${file}")
    message(FATAL_ERROR "the port does not bring ${file}")
  endif()
endforeach()
foreach(folder IN ITEMS bin lib debug lib/cmake lib/pkgconfig)
  if(EXISTS "${PACKAGE}/${folder}")
    message(FATAL_ERROR "a port of a header may not bring ${folder}")
  endif()
endforeach()
