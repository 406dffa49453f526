include(${CMAKE_CURRENT_LIST_DIR}/../../shared/stores/embedder/embedder.cmake)
