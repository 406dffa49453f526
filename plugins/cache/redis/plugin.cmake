include(${CMAKE_CURRENT_LIST_DIR}/../../shared/clients/redis/redis.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/../../shared/stores/table/table.cmake)
