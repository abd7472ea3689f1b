# A recipe for Conan 2, which takes the header of the checkout that it lies in:
#
#     conan create examples/packaging
#
# Then a project requires "vqcache/VERSION", the version that the header tells.

import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, load


class VqcacheConan(ConanFile):
    name = "vqcache"
    description = "Brings models to the local disk and keeps a copy on a persistent one"
    license = "MIT"
    topics = ("download", "cache", "models", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    no_copy_source = True

    @property
    def _checkout(self):
        return os.path.join(self.recipe_folder, "..", "..")

    def set_version(self):  # it stands once, in the header
        text = load(self, os.path.join(self._checkout, "vqcache.hpp"))
        parts = ("MAJOR", "MINOR", "PATCH")
        self.version = ".".join(re.search(r"define VQCACHE_VERSION_%s (\d+)" % part, text)[1]
                                for part in parts)

    def export_sources(self):
        for file in ("vqcache.hpp", "LICENSE"):
            copy(self, file, self._checkout, self.export_sources_folder)

    def validate(self):
        if self.settings.get_safe("compiler.cppstd"):
            check_min_cppstd(self, 17)

    def package(self):
        copy(self, "vqcache.hpp", self.source_folder, os.path.join(self.package_folder, "include"))
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))

    def package_id(self):  # a header is the same for all settings
        self.info.clear()

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "vqcache")
        self.cpp_info.set_property("cmake_target_name", "vqcache::vqcache")
        self.cpp_info.set_property("pkg_config_name", "vqcache")
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        # older systems have threads and dlopen in libraries of their own
        if self.settings.os in ("Linux", "FreeBSD", "Android"):
            self.cpp_info.system_libs = ["dl"] if self.settings.os == "Android" else ["pthread"]
        if self.settings.os == "Linux":
            self.cpp_info.system_libs.append("dl")
