# An overlay port for vcpkg, which takes the header of the checkout that it lies in:
#
#     vcpkg install vqcache --overlay-ports=examples/packaging/vcpkg/ports
#
# Copied elsewhere, SOURCE_PATH has to come from vcpkg_from_git() or its like.
set(VCPKG_BUILD_TYPE release)  # a header has nothing to debug
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../../../.." ABSOLUTE)

vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS
    -DVQCACHE_BUILD_TESTS=OFF
    -DVQCACHE_BUILD_EXAMPLES=OFF
    -DVQCACHE_INSTALL=ON)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/vqcache)
vcpkg_fixup_pkgconfig()

file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
