int main(void) {
  volatile int *price = 0;
  *price = 30;
  return 0;
}
