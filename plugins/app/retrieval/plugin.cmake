include(${CMAKE_CURRENT_LIST_DIR}/../../shared/words/words.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/../../shared/vectors/vectors.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/../../shared/embedder/embedder.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/../../shared/filters/filters.cmake)
