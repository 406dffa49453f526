include(${CMAKE_CURRENT_LIST_DIR}/../../shared/words/words.cmake)
file(GLOB sqlitedb_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/../../shared/sqlitedb/*.c)
list(APPEND plugin_extra_sources ${sqlitedb_sources})
# A scan reads every vector, so this one file is optimised in every build.
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/kernel.c vector/local/kernel.c PROPERTIES COMPILE_OPTIONS -O3)
include(${CMAKE_CURRENT_LIST_DIR}/../../shared/filters/filters.cmake)
