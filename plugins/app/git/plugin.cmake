pkg_check_modules(GIT2 REQUIRED IMPORTED_TARGET libgit2)
set(plugin_libraries PkgConfig::GIT2)
