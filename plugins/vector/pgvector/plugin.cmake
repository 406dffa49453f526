include(${CMAKE_CURRENT_LIST_DIR}/../../shared/clients/postgres/postgres.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/../../shared/text/words/words.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/../../shared/stores/vectors/vectors.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/../../shared/stores/filters/filters.cmake)
