// Python's round: halves to the even neighbour.
export const roundEven = (value) => {
  const whole = Math.round(value)
  return whole - value === 0.5 && whole % 2 ? whole - 1 : whole
}
