include(${CMAKE_CURRENT_LIST_DIR}/../../shared/stores/table/table.cmake)
