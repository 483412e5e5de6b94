int tax(int);

int main(void) { return tax(10); }
