include(${CMAKE_CURRENT_LIST_DIR}/../../shared/redis/redis.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/../../shared/words/words.cmake)
# The scan is that of vector/local, so that both rank alike; optimised in every build.
list(APPEND plugin_extra_sources ${CMAKE_CURRENT_LIST_DIR}/../local/kernel.c)
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/../local/kernel.c PROPERTIES COMPILE_OPTIONS -O3)
