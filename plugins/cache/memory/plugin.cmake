include(${CMAKE_CURRENT_LIST_DIR}/../../shared/table/table.cmake)
