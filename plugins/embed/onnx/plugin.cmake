find_package(PkgConfig REQUIRED)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
set(plugin_libraries m ${CMAKE_DL_LIBS} PkgConfig::UTF8PROC)
file(GLOB plugin_extra_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/../../shared/text/wordpiece/*.c)
