include(${CMAKE_CURRENT_LIST_DIR}/../../shared/redis/redis.cmake)
