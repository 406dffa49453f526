include(${CMAKE_CURRENT_LIST_DIR}/../../shared/redis/redis.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/../../shared/words/words.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/../../shared/vectors/vectors.cmake)
# The scan is that of vector/local, so that both rank alike.
include(${CMAKE_CURRENT_LIST_DIR}/../../shared/nearest/nearest.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/../../shared/filters/filters.cmake)
