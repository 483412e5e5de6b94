#include <pricelist.h>

int price(int pieces) { return pieces * EACH; }
