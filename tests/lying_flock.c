/* A file system whose locks lie: every lock is granted, as some network file systems do.
   call/concurrency.cpp builds this and loads it with LD_PRELOAD. */
int flock(int descriptor, int operation) {
  (void)descriptor;
  (void)operation;
  return 0;
}
