set(plugin_libraries PkgConfig::SQLITE m)
file(GLOB plugin_extra_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/../../shared/sqlitedb/*.c
     ${CMAKE_CURRENT_LIST_DIR}/../../shared/terms/*.c)
# A scan reads every vector, so this one file is optimised in every build.
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/kernel.c vector/local/kernel.c PROPERTIES COMPILE_OPTIONS -O3)
